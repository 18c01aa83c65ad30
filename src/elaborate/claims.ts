/** `certify`: what is claimed, for each instance of the body that says it. */
import type { Claim, Norm, Phase } from "../model/model.ts";
import type { Arg, Certify, Expr } from "../syntax/ast.ts";
import type { Body } from "./body.ts";
import { evaluate } from "./expression.ts";
import { report, textOf, type Frame } from "./frame.ts";
import { numberDown } from "./rational.ts";
import { coerce } from "./types.ts";
import { describe, type TensorVal } from "./values.ts";

const phases: readonly string[] = ["init", "always", "checkpoint"] satisfies Phase[];
type AnyNorm = Norm | "rms";

/** `names`: the body whose names the claims may use; the model's own, for a variant. */
export function checkClaims(
  frame: Frame,
  body: Pick<Body, "claims">,
  result: TensorVal | null,
  names: Frame = frame,
): void {
  for (const claim of body.claims) checkClaim(frame, claim, result, names);
}

function checkClaim(frame: Frame, statement: Certify, result: TensorVal | null, names: Frame): void {
  const { phase, claim } = statement;
  if (phase.text === "" || claim.kind === "error") {
    frame.run.failed = true;
    return;
  }
  if (!phases.includes(phase.text)) {
    report(frame, "claim-phase", phase.span, { found: phase.text });
    return;
  }
  const form = (why: string, at: Expr = claim): void => report(frame, "claim-form", at.span, { why });
  if (claim.kind !== "binary" || claim.operator !== "<=") {
    const compared = claim.kind === "binary" && ["<", ">", ">=", "==", "!="].includes(claim.operator);
    return form(compared ? "an upper bound is proven, so it is written with `<=`" : "it has no `<=`");
  }
  const { left, right } = claim;
  if (left.kind === "error" || right.kind === "error") {
    frame.run.failed = true;
    return;
  }
  const kind = left.kind === "call" && left.callee.kind === "name" ? left.callee.text : "";
  if (left.kind !== "call" || (kind !== "gain" && kind !== "margin" && kind !== "radius")) {
    return form("on the left stands `gain(…)`, `margin(…)` or `radius(…)`", left);
  }
  const [about, norms, ...more] = left.args;
  if (!about || more.length > 0) return form(`\`${kind}\` takes what it is about, and at most a norm`, left);
  if (kind === "radius" && about.to) return form("`radius` is about one value", left);
  if (kind !== "radius" && !about.to)
    return form(`\`${kind}\` goes from one value to another: \`a -> b\``, left);
  const from = named(frame, about.value, result, names);
  const to = about.to ? named(frame, about.to, result, names) : from;
  const pair = normsOf(frame, norms);
  const number = evaluate(frame, right, { name: "real", list: false });
  if (number.kind !== "number" && number.kind !== "unknown") {
    const found = describe(number);
    report(frame, "argument-type", right.span, { argument: "the limit", expected: "a number", found });
  }
  if (!from || !to || !pair || number.kind !== "number") return;
  if (kind === "margin" && pair.normIn !== pair.normOut)
    return form("a margin has one norm, that of its input", left);
  const { model } = frame;
  if (!model) return;
  // Never above the exact number: beyond float64 the largest number stands for it.
  const down = numberDown(number.low);
  const one: Claim = {
    kind,
    text: textOf(frame, claim.span),
    phase: phase.text as Phase,
    from: from.value,
    to: to.value,
    fromName: from.name,
    toName: to.name,
    ...pair,
    limit: Number.isFinite(down) ? down : down > 0 ? Number.MAX_VALUE : -Number.MAX_VALUE,
    instance: frame.instance.path,
    span: statement.span,
  };
  model.claims.push(one);
}

/** An input, an output, a parameter, `result`, or a `let` of the body itself that was never rebound. */
function named(
  frame: Frame,
  e: Expr,
  result: TensorVal | null,
  names: Frame,
): { value: number; name: string } | null {
  if (e.kind === "error") {
    frame.run.failed = true;
    return null;
  }
  if (e.kind !== "name") {
    report(frame, "claim-form", e.span, { why: "a claim names values; give this one a name with `let`" });
    return null;
  }
  const name = e.text;
  if (name === "result" && result) return { value: result.value, name };
  const binding = names.scope.names.get(name);
  if (binding?.value.kind === "unknown") {
    frame.run.failed = true;
    return null;
  }
  if (binding && binding.values > 1) {
    report(
      frame,
      "rebound-name",
      e.span,
      { name, count: binding.values },
      { related: [{ span: binding.span, message: "made here" }] },
    );
    return null;
  }
  if (binding?.value.kind === "tensor") return { value: binding.value.value, name };
  const known = [...names.scope.names]
    .filter(([, b]) => b.value.kind === "tensor" && b.values === 1)
    .map(([n]) => n);
  report(frame, "no-name-to-claim", e.span, { name, known: result ? [...known, "result"] : known });
  return null;
}

function normsOf(frame: Frame, arg: Arg | undefined): { normIn: AnyNorm; normOut: AnyNorm } | null {
  if (!arg) return { normIn: "l2", normOut: "l2" };
  const read = (e: Expr): AnyNorm | null => {
    const type = { name: "Norm", list: false };
    const value = coerce(frame, evaluate(frame, e, type), type, "norm", e.span);
    return value.kind === "option" ? (value.name as AnyNorm) : null;
  };
  const normIn = read(arg.value);
  const normOut = arg.to ? read(arg.to) : normIn;
  return normIn && normOut && { normIn, normOut };
}
