/** Which argument fills which parameter. */
import type { Arg } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { evaluate } from "./expression.ts";
import { report, type Frame } from "./frame.ts";
import type { Params, StaticParam } from "./signature.ts";
import { coerce } from "./types.ts";
import { describe, type Given, type GivenArgs } from "./values.ts";
import { nearest } from "./words.ts";

export interface Bound {
  readonly args: Map<string, Given>;
  readonly tensors: Map<string, Given>;
  /** Every tensor is there. */
  readonly complete: boolean;
}

/**
 * Positional static values fill static parameters in order, tensors fill tensor parameters. `piped`: a tensor will
 * flow in, so the first tensor parameter that isn't given by name is taken. null after a reported mistake.
 */
export function bindArguments(
  frame: Frame,
  params: Params,
  written: readonly Arg[],
  before: { readonly args: GivenArgs; readonly tensors: GivenArgs },
  piped: boolean,
  span: Span,
): Bound | null {
  const args = new Map(before.args);
  const tensors = new Map(before.tensors);
  const loose: Given[] = [];
  let good = true;
  const now = new Set<string>();
  const fail = (): void => void (good = false);

  for (const arg of written) {
    if (arg.to !== null) {
      report(frame, "misplaced", arg.span, { what: "`->`", where: "here", instead: "it belongs to claims" });
      fail();
      continue;
    }
    if (arg.name === null) {
      if (!bindLoose(frame, params, arg, args, loose)) fail();
      continue;
    }
    const name = arg.name.text;
    if (now.has(name)) {
      report(frame, "argument-twice", arg.name.span, { argument: name });
      fail();
    }
    now.add(name);
    const param = params.statics.find((p) => p.name === name);
    if (param) {
      if (!bindStatic(frame, param, arg, args)) fail();
    } else if (params.tensors.includes(name)) {
      const value = evaluate(frame, arg.value);
      if (value.kind === "tensor" || value.kind === "learned")
        tensors.set(name, { value, span: arg.value.span });
      else {
        if (value.kind !== "unknown") {
          report(frame, "argument-type", arg.value.span, {
            argument: name,
            expected: "a tensor",
            found: describe(value),
          });
        }
        fail();
      }
    } else {
      evaluate(frame, arg.value, undefined, true);
      reportUnknown(frame, params, arg.name.text, arg.name.span, [
        ...params.tensors,
        ...params.statics.map((p) => p.name),
      ]);
      fail();
    }
  }
  if (!good) return null;
  return placeTensors(frame, params, args, tensors, loose, piped, span);
}

function reportUnknown(
  frame: Frame,
  params: Params,
  argument: string,
  span: Span,
  known: readonly string[],
): void {
  const near = nearest(argument, known);
  const fixes =
    near === null
      ? []
      : [{ title: `write \`${near}\``, edits: [{ span, text: near }], meaning: "changes" as const }];
  report(frame, "unknown-argument", span, { layer: params.name, argument, known }, { fixes });
}

function bindStatic(frame: Frame, param: StaticParam, arg: Arg, args: Map<string, Given>): boolean {
  const value = evaluate(frame, arg.value, param.type ?? undefined);
  if (param.type === null) return false;
  const fit = coerce(frame, value, param.type, param.name, arg.value.span, param.learns);
  args.set(param.name, { value: fit, span: arg.value.span });
  return fit.kind !== "unknown";
}

/** An argument without a name: a tensor waits in `loose`, anything else goes to the next static parameter. */
function bindLoose(
  frame: Frame,
  params: Params,
  arg: Arg,
  args: Map<string, Given>,
  loose: Given[],
): boolean {
  const param = params.statics.find((p) => !args.has(p.name));
  const value = evaluate(frame, arg.value, param?.type ?? undefined);
  const span = arg.value.span;
  if (value.kind === "unknown") {
    // Holds the place, so that later ones don't move up.
    if (param) args.set(param.name, { value, span });
    return false;
  }
  const learns = param?.type?.name === "Coefficient" || param?.type?.name === "real";
  if (value.kind === "tensor" || (value.kind === "learned" && !learns)) {
    loose.push({ value, span });
    return true;
  }
  if (!param) {
    report(frame, "too-many-arguments", span, { layer: params.name, most: params.statics.length });
    return false;
  }
  if (param.type === null) return false;
  const fit = coerce(frame, value, param.type, param.name, span, param.learns);
  args.set(param.name, { value: fit, span });
  return fit.kind !== "unknown";
}

function placeTensors(
  frame: Frame,
  params: Params,
  args: Map<string, Given>,
  tensors: Map<string, Given>,
  loose: readonly Given[],
  piped: boolean,
  span: Span,
): Bound | null {
  const open = params.tensors.filter((name) => !tensors.has(name));
  const places = piped ? open.slice(1) : open;
  if (piped && open.length === 0 && !params.rest) {
    report(
      frame,
      "too-many-arguments",
      span,
      { layer: params.name, most: params.tensors.length },
      { help: "all its tensors are given already, so nothing can flow into it" },
    );
    return null;
  }
  if (loose.length > places.length && !params.rest) {
    report(
      frame,
      "too-many-arguments",
      loose[places.length].span,
      { layer: params.name, most: params.tensors.length },
      { help: `its tensors are ${params.tensors.join(", ")}` },
    );
    return null;
  }
  loose.forEach((given, i) =>
    tensors.set(places[i] ?? `${params.tensors.length + i - places.length}`, given),
  );
  const missing = params.tensors.filter((name) => !tensors.has(name));
  const complete = missing.length === 0 && !piped;
  if (loose.length > 0 && missing.length > (piped ? 1 : 0)) {
    report(frame, "tensor-not-named", span, { layer: params.name, missing });
    return null;
  }
  return { args, tensors, complete };
}
