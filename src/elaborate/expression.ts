/** Expressions: what a name, a call, an operator or a pipe is worth here. */
import type { Arg, Expr } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { layers } from "../layers/registry.ts";
import { applyAll } from "./apply.ts";
import { bindArguments } from "./arguments.ts";
import { constantValue } from "./constants.ts";
import { report, remark, textOf, type Frame } from "./frame.ts";
import { callFunction } from "./functions.ts";
import { binary, unary } from "./operators.ts";
import { makeOption } from "./options.ts";
import { optionTypes, typesWith } from "./option-tables.ts";
import { exact } from "./numbers.ts";
import { parseRational } from "./rational.ts";
import { limits } from "./run.ts";
import { find, visible } from "./scope.ts";
import { paramsOf } from "./signature.ts";
import type { TypeRef } from "./types.ts";
import { describe, numberVal, unknown, type LayerVal, type Target, type Val } from "./values.ts";
import { functionNames, nearest } from "./words.ts";

/**
 * The value of an expression; `expected` lets option names of that type come first. `quiet`: the value is thrown
 * away, so a bare option name without a type is no mistake of its own.
 */
export function evaluate(frame: Frame, e: Expr, expected?: TypeRef, quiet = false): Val {
  const { run } = frame;
  if (run.stopped || !run.countWork(1, e.span)) return unknown;
  if (run.nesting >= limits.nesting) {
    report(frame, "nested-too-deep", e.span, { what: "Expressions", limit: limits.nesting });
    return unknown;
  }
  run.nesting++;
  const value = evaluateKind(frame, e, expected, quiet);
  run.nesting--;
  return value;
}

function evaluateKind(frame: Frame, e: Expr, expected: TypeRef | undefined, quiet: boolean): Val {
  switch (e.kind) {
    case "number": {
      const value = parseRational(e.text);
      if (value) return numberVal(exact(value));
      report(frame, "no-number", e.span, { text: e.text.slice(0, 30), why: "it is too long" });
      return unknown;
    }
    case "string":
      return { kind: "string", text: e.text };
    case "boolean":
      return { kind: "boolean", value: e.value };
    case "list": {
      if (!frame.run.countWork(e.items.length, e.span)) return unknown;
      const element = expected && { ...expected, list: false };
      const items = e.items.map((item) => evaluate(frame, item, element, quiet));
      return items.some((v) => v.kind === "unknown") ? unknown : { kind: "list", items };
    }
    case "name":
      return evaluateName(frame, e.text, e.span, expected, quiet);
    case "call":
      return evaluateCall(frame, e.callee, e.args, e.span, expected, false);
    case "index":
      return evaluateIndex(frame, e.list, e.index);
    case "member":
      evaluate(frame, e.object);
      report(frame, "misplaced", e.name.span, {
        what: `\`.${e.name.text}\``,
        where: "here",
        instead: "values have no members; give a block another parameter",
      });
      return unknown;
    case "unary":
      return unary(frame, e.operator, evaluate(frame, e.operand), e.span);
    case "binary":
      return evaluateChain(frame, e);
    case "pipe":
      return evaluatePipe(frame, e, expected);
    case "error":
      frame.run.failed = true;
      return unknown;
  }
}

/** `a + b + c …` leans to the left; its spine is walked, not descended. */
function evaluateChain(frame: Frame, e: Expr): Val {
  const spine: Extract<Expr, { kind: "binary" }>[] = [];
  let first = e;
  while (first.kind === "binary") {
    spine.push(first);
    first = first.left;
  }
  let value = evaluate(frame, first);
  for (const { operator, right, span } of spine.reverse()) {
    // `and`, `or` look at the right side only where it matters.
    if (operator === "and" && value.kind === "boolean" && !value.value) continue;
    if (operator === "or" && value.kind === "boolean" && value.value) continue;
    value = binary(frame, operator, value, evaluate(frame, right), span);
  }
  return value;
}

function evaluatePipe(frame: Frame, e: Expr, expected: TypeRef | undefined): Val {
  const stages: Expr[] = [];
  let first = e;
  while (first.kind === "pipe") {
    stages.push(first.right);
    first = first.left;
  }
  let value = evaluate(frame, first, expected?.name === "Layer" ? expected : undefined);
  let before = first.span;
  for (const stage of stages.reverse()) {
    if (frame.run.stopped) return unknown;
    // A stage is evaluated even after a mistake: its own mistakes should be told at once.
    const flows = value.kind !== "layer";
    const next =
      stage.kind === "call"
        ? evaluateCall(frame, stage.callee, stage.args, stage.span, undefined, flows)
        : evaluate(frame, stage);
    value = flows
      ? flow(frame, value, next, before, stage.span)
      : join(frame, value as LayerVal, next, stage.span);
    before = stage.span;
  }
  return value;
}

/** A tensor into a layer. */
function flow(frame: Frame, value: Val, next: Val, from: Span, span: Span): Val {
  if (value.kind === "unknown" || next.kind === "unknown") return unknown;
  if (value.kind === "list" && value.items.length > 0 && value.items.every((v) => v.kind === "tensor")) {
    report(frame, "not-one-shape", span, { layer: textOf(frame, from), count: value.items.length });
    return unknown;
  }
  if (value.kind !== "tensor" && value.kind !== "learned") {
    report(frame, "operator-types", span, { operator: "|>", left: describe(value), right: describe(next) });
    return unknown;
  }
  if (next.kind !== "layer") {
    report(frame, "not-a-layer", span, { found: describe(next) });
    return unknown;
  }
  return applyAll(frame, next, [{ value, span: from }]);
}

/** A layer after a layer. */
function join(frame: Frame, left: LayerVal, next: Val, span: Span): Val {
  if (next.kind === "unknown") return unknown;
  if (next.kind !== "layer") {
    report(frame, "not-a-layer", span, { found: describe(next) });
    return unknown;
  }
  const parts =
    left.target.kind === "sequence" && !left.label && !left.shared && !left.home ? left.target.parts : [left];
  const whole = {
    ...left.span,
    start: left.span.start,
    end: next.span.file === left.span.file ? Math.max(span.end, left.span.end) : left.span.end,
  };
  return layerVal({ kind: "sequence", parts: [...parts, next] }, whole);
}

export function layerVal(target: Target, span: Span): LayerVal {
  return {
    kind: "layer",
    target,
    args: new Map(),
    tensors: new Map(),
    span,
    site: span,
    through: false,
    label: null,
    home: null,
    shared: null,
    held: null,
  };
}

/** What a name means: names in scope, then of the file, then built-in layers. undefined: nothing. */
function lookUp(frame: Frame, name: string, span: Span): Val | Target | undefined {
  const binding = find(frame.scope, name);
  if (binding) {
    binding.used = true;
    const { value } = binding;
    if (value.kind === "layer") return value.through ? value : { ...value, site: span };
    return value.kind === "learned" ? { ...value, site: span } : value;
  }
  const known = frame.file.names.get(name);
  if (known?.kind === "block") return known;
  if (known?.kind === "constant") return constantValue(frame, known, name, span);
  if (known?.kind === "model") {
    report(frame, "model-not-layer", span, { name });
    return unknown;
  }
  if (frame.file.lost.has(name)) {
    frame.run.failed = true;
    return unknown;
  }
  const layer = layers.get(name);
  return layer && { kind: "layer", layer };
}

function isTarget(found: Val | Target): found is Target {
  return found.kind === "block" || found.kind === "sequence" || (found.kind === "layer" && "layer" in found);
}

function evaluateName(
  frame: Frame,
  name: string,
  span: Span,
  expected: TypeRef | undefined,
  quiet: boolean,
): Val {
  const option = optionHere(frame, name, span, expected);
  if (option) return makeOption(frame, option, name, [], span);
  const found = lookUp(frame, name, span);
  if (found === undefined) {
    if (!quiet || typesWith(name).length === 0) reportUnknownName(frame, name, span, expected);
    return unknown;
  }
  if (!isTarget(found)) return found;
  return complete(frame, layerVal(found, span), [], span, false);
}

/** The option type that this word belongs to here, by what is expected. */
function optionHere(frame: Frame, name: string, span: Span, expected: TypeRef | undefined): TypeRef | null {
  if (!expected) return null;
  const has = expected.words?.includes(name) ?? Object.hasOwn(optionTypes.get(expected.name) ?? {}, name);
  if (!has) {
    return null;
  }
  const hidden = find(frame.scope, name);
  if (hidden && !expected.words) {
    remark(
      frame,
      "option-hides-name",
      span,
      { name, type: expected.name },
      { related: [{ span: hidden.span, message: "declared here" }] },
    );
  }
  return expected;
}

/** A call; `piped`: a tensor will flow in, so it is a layer and not applied yet. */
export function evaluateCall(
  frame: Frame,
  callee: Expr,
  args: readonly Arg[],
  span: Span,
  expected: TypeRef | undefined,
  piped: boolean,
): Val {
  if (callee.kind !== "name") {
    const value = evaluate(frame, callee);
    return value.kind === "unknown" ? unknown : callValue(frame, value, args, span, piped);
  }
  const name = callee.text;
  const option = optionHere(frame, name, callee.span, expected);
  if (option) return makeOption(frame, option, name, args, span);
  if (functionNames.has(name) && !find(frame.scope, name)) return callFunction(frame, name, args, span);
  const found = lookUp(frame, name, callee.span);
  if (found === undefined) {
    reportUnknownName(frame, name, callee.span, expected);
    // Arguments may hold mistakes of their own.
    for (const arg of args) evaluate(frame, arg.value, undefined, true);
    return unknown;
  }
  if (isTarget(found)) return complete(frame, layerVal(found, span), args, span, piped);
  return found.kind === "unknown" ? unknown : callValue(frame, found, args, span, piped);
}

/** `f(x)`, `f(heads: 3)` of a layer that is already a value. */
function callValue(frame: Frame, value: Val, args: readonly Arg[], span: Span, piped: boolean): Val {
  if (value.kind === "layer") return complete(frame, value, args, span, piped);
  report(frame, "not-callable", span, { found: describe(value).replace(/^./, (c) => c.toUpperCase()) });
  return unknown;
}

/** Gives arguments to a layer; with all its tensors it is applied at once. */
function complete(frame: Frame, layer: LayerVal, args: readonly Arg[], span: Span, piped: boolean): Val {
  const params = paramsOf(frame, layer.target);
  if (args.length === 0 && params.tensors.length > layer.tensors.size) return layer;
  const bound = bindArguments(frame, params, args, layer, piped, span);
  if (!bound) return unknown;
  const given = args.length === 0 ? layer : { ...layer, args: bound.args, tensors: bound.tensors };
  if (!bound.complete || (params.tensors.length === 0 && piped)) return given;
  return applyAll(frame, given, []);
}

function evaluateIndex(frame: Frame, list: Expr, index: Expr): Val {
  const value = evaluate(frame, list);
  const at = evaluate(frame, index);
  if (value.kind === "unknown" || at.kind === "unknown") return unknown;
  if (value.kind !== "list") {
    report(frame, "operator-types", list.span, { operator: "[ ]", left: describe(value), right: null });
    return unknown;
  }
  if (at.kind !== "number" || at.low.d !== 1n) {
    const found = describe(at);
    report(frame, "argument-type", index.span, { argument: "index", expected: "a whole number", found });
    return unknown;
  }
  const item =
    at.low.n >= 0n && at.low.n < BigInt(value.items.length) ? value.items[Number(at.low.n)] : undefined;
  if (item) return item;
  report(frame, "index-outside", index.span, {
    index: `${at.low.n}`.slice(0, 30),
    length: value.items.length,
  });
  return unknown;
}

function reportUnknownName(frame: Frame, name: string, span: Span, expected: TypeRef | undefined): void {
  const replace = (near: string | null, meaning: "keeps" | "changes") =>
    near === null ? [] : [{ title: `write \`${near}\``, edits: [{ span, text: near }], meaning }];
  const table = expected && optionTypes.get(expected.name);
  if (expected && (expected.words || table)) {
    const options = expected.words ?? Object.keys(table ?? {});
    const near = nearest(name, [...options, ...visible(frame.scope)]);
    const elsewhere = typesWith(name).filter((t) => t !== expected.name);
    const help = elsewhere.length > 0 ? `\`${name}\` is a ${elsewhere[0]}` : undefined;
    const type = expected.words ? "word for this argument" : expected.name;
    report(
      frame,
      "unknown-option",
      span,
      { found: name, type, options },
      { fixes: replace(near, "changes"), ...(help ? { help } : {}) },
    );
    return;
  }
  const types = typesWith(name);
  if (types.length > 0) {
    report(frame, "option-without-type", span, { name, types });
    return;
  }
  const dimensions = frame.dimensions;
  const near = nearest(name, [
    ...visible(frame.scope),
    ...frame.file.names.keys(),
    ...layers.keys(),
    ...functionNames,
  ]);
  if (dimensions !== null && /^\p{Ll}'?$/u.test(name)) {
    report(frame, "unknown-dimension", span, { name, block: frame.owner, dimensions });
    return;
  }
  const what = /^\p{Lu}/u.test(name) ? "layer" : "name";
  const standard = near === null ? standardHome(name) : null;
  if (standard !== null) {
    const line = `import { ${name} } from "${standard}"`;
    const first = frame.file.ast.items[0]?.span ?? span;
    const fixes = [
      {
        title: "import it",
        edits: [{ span: { ...first, end: first.start }, text: `${line}\n` }],
        meaning: "keeps" as const,
      },
    ];
    report(frame, "unknown-name", span, { what, name, nearest: null }, { fixes, help: `\`${line}\`` });
    return;
  }
  report(frame, "unknown-name", span, { what, name, nearest: near }, { fixes: replace(near, "changes") });
}

/** Where the standard library has a name that is often used without its import. */
function standardHome(name: string): string | null {
  const homes: Record<string, readonly string[]> = {
    "std/attention": ["Attention", "CrossShapedAttention"],
    "std/vision": ["Mlp", "PatchEmbed", "PatchMerging"],
    "std/data": ["imagenet_mean", "imagenet_std"],
    "std/robust": ["Lbdn"],
    "std/sequence": ["GatedUnit"],
  };
  return Object.keys(homes).find((home) => homes[home].includes(name)) ?? null;
}
