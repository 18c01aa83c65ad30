/** Bodies: statements in order, loops unrolled, names bound. */
import type { Body as BodyNode, Certify, Expr, For, If, Let, Name, Statement } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { layers } from "../layers/registry.ts";
import { materialize } from "./apply.ts";
import { evaluate } from "./expression.ts";
import { remark, report, textOf, type Frame } from "./frame.ts";
import { declareInput, declareOutput } from "./ports.ts";
import { applyInference } from "./inference.ts";
import { applyPolicy } from "./policy.ts";
import { declare, find, newScope, visible } from "./scope.ts";
import { sizesOfType } from "./shapes.ts";
import { coerce, showType, typeWritten, type TypeRef } from "./types.ts";
import { describe, showShape, unknown, type Val } from "./values.ts";
import { functionNames, nearest } from "./words.ts";
import { sameShape } from "./build.ts";

export interface Body {
  /** The bare expression of a block. */
  readonly value: { readonly value: Val; readonly span: Span } | null;
  /** Evaluation ended early; nothing is missing. */
  readonly stopped: boolean;
  readonly claims: readonly Certify[];
}

type Kind = "block" | "model" | "inner";

export function runBody(frame: Frame, body: BodyNode, kind: Kind): Body {
  let value: Body["value"] = null;
  const claims: Certify[] = [];
  for (const [i, statement] of body.statements.entries()) {
    if (frame.run.stopped) return { value: null, stopped: true, claims };
    if (statement.kind === "certify") {
      if (kind === "inner")
        misplaced(frame, statement, "`certify`", "a claim stands in the body of a block or model");
      else claims.push(statement);
    } else if (statement.kind === "value") {
      const result = evaluate(frame, statement.value);
      const last = body.statements.slice(i + 1).every((s) => s.kind === "certify");
      if (kind === "block" && last) value = { value: result, span: statement.value.span };
      else dropValue(frame, statement.value, result);
    } else runStatement(frame, statement, kind);
  }
  return { value, stopped: frame.run.stopped, claims };
}

function misplaced(frame: Frame, statement: Statement, what: string, instead: string): void {
  const where = frame.loops > 0 || frame.scope.kind !== "body" ? "in a loop or branch" : "in a block";
  report(frame, "misplaced", statement.span, { what, where, instead });
}

function dropValue(frame: Frame, e: Expr, result: Val): void {
  if (result.kind === "unknown") return;
  let head = e;
  while (head.kind === "pipe") head = head.left;
  const bound = head.kind === "name" ? find(frame.scope, head.text) : undefined;
  const at = { ...e.span, end: e.span.start };
  const fixes =
    head.kind === "name" && bound
      ? [
          {
            title: `write \`${head.text} = …\``,
            edits: [{ span: at, text: `${head.text} = ` }],
            meaning: "changes" as const,
          },
        ]
      : [];
  report(frame, "value-dropped", e.span, { found: describe(result) }, { fixes });
}

function runStatement(
  frame: Frame,
  statement: Exclude<Statement, { kind: "certify" | "value" }>,
  kind: Kind,
): void {
  switch (statement.kind) {
    case "let":
      return runLet(frame, statement);
    case "assign":
      return assign(frame, statement.name, statement.value, statement.span);
    case "for":
      return runFor(frame, statement);
    case "if":
      return runIf(frame, statement);
    case "weights":
      if (kind === "inner")
        return misplaced(
          frame,
          statement,
          "`weights`",
          "it stands at the start of the body of a block or model",
        );
      return applyPolicy(frame, statement);
    case "inference":
      if (kind !== "model")
        return misplaced(
          frame,
          statement,
          "`inference`",
          "it is about the whole model and stands in the model's own body",
        );
      return applyInference(frame, statement);
    case "input":
      if (kind !== "model")
        return misplaced(
          frame,
          statement,
          "`input`",
          "inputs belong to the body of a model; a block has parameters",
        );
      return declareInput(frame, statement);
    case "output":
      if (kind !== "model")
        return misplaced(
          frame,
          statement,
          "`output`",
          "outputs belong to the body of a model; a block has one bare expression",
        );
      return declareOutput(frame, statement);
  }
}

/** Whether a name may be declared here; false after a report. */
export function mayDeclare(frame: Frame, name: Name): boolean {
  const { text, span } = name;
  if (text === "") {
    frame.run.failed = true;
    return false;
  }
  if (layers.has(text) || functionNames.has(text)) {
    report(frame, "built-in-name", span, { name: text, what: layers.has(text) ? "layer" : "function" });
    return false;
  }
  if (frame.file.names.has(text)) {
    report(frame, "shadows-file-name", span, { name: text });
    return false;
  }
  // Parameters and dimensions share the scope of the body.
  const before = frame.scope.names.get(text);
  if (!before) return true;
  const fixes =
    before.kind === "let"
      ? [
          {
            title: "drop `let`",
            edits: [{ span: { ...span, start: letBefore(frame, span) }, text }],
            meaning: "changes" as const,
          },
        ]
      : [];
  report(
    frame,
    "declared-twice",
    span,
    { name: text },
    { related: [{ span: before.span, message: "first here" }], fixes },
  );
  return false;
}

/** Where the word `let` before this name begins. */
function letBefore(frame: Frame, span: Span): number {
  const text = frame.run.sources.get(span.file)?.text ?? "";
  const before = /let\s+$/.exec(text.slice(Math.max(0, span.start - 20), span.start));
  return before ? span.start - before[0].length : span.start;
}

function runLet(frame: Frame, statement: Let): void {
  const { pattern, type } = statement;
  const expected = type ? typeWritten(frame, type) : null;
  const value = evaluate(frame, statement.value, expected ?? undefined);
  if (pattern.kind === "list") return bindList(frame, pattern.names, value, pattern.span);
  nameUnknown(frame, statement.value.span, pattern.name.text);
  const checked = checkAnnotation(frame, statement, expected, value);
  if (!mayDeclare(frame, pattern.name)) {
    // The name stands for nothing rather than for its old value: no errors that follow from this one.
    const binding = frame.scope.names.get(pattern.name.text);
    if (binding) binding.value = unknown;
    return;
  }
  const { text, span } = pattern.name;
  const binding = declare(frame.scope, text, held(frame, checked, text, span), span, "let");
  if (expected) binding.type = expected;
}

/** `let scale = solve(…)`: the unknown is called `scale` in what is printed of it. */
export function nameUnknown(frame: Frame, at: Span, name: string): void {
  const { model } = frame;
  if (model?.solve && model.solve.span.file === at.file && model.solve.span.start === at.start)
    model.solve = { ...model.solve, name };
}

function checkAnnotation(frame: Frame, statement: Let, expected: TypeRef | null, value: Val): Val {
  const { type, pattern } = statement;
  const name = pattern.kind === "name" ? pattern.name.text : "value";
  if (!type || value.kind === "unknown") return value;
  if (type.kind === "named")
    return expected ? coerce(frame, value, expected, name, statement.value.span, true) : unknown;
  const sizes = sizesOfType(frame, type, null, name, type.span);
  if (!sizes) return unknown;
  const tensor = materialize(frame, value, statement.value.span);
  if (!tensor) {
    if (value.kind !== "layer") {
      const found = describe(value);
      report(frame, "argument-type", statement.value.span, { argument: name, expected: "a tensor", found });
    }
    return unknown;
  }
  if (sameShape(tensor.shape, sizes)) return tensor;
  report(frame, "result-shape", statement.value.span, {
    block: name,
    expected: showShape(sizes),
    found: showShape(tensor.shape),
  });
  return unknown;
}

/** What a name holds: a layer or learned number takes the name for its weights. */
function held(frame: Frame, value: Val, name: string, span: Span): Val {
  if (value.kind === "learned") return { ...value, label: name };
  if (value.kind !== "layer") return value;
  const holder = { name, span, places: new Set<string>(), loops: frame.loops };
  frame.run.held.push(holder);
  return { ...value, label: name, through: false, held: holder };
}

function bindList(frame: Frame, names: readonly Name[], value: Val, span: Span): void {
  const items =
    value.kind === "list" ? value.items : value.kind === "tensor" && names.length === 1 ? [value] : null;
  if (value.kind !== "unknown" && items?.length !== names.length) {
    report(frame, "pattern-length", span, { names: names.length, found: describe(value) });
  }
  for (const [i, name] of names.entries()) {
    const item = items?.length === names.length ? items[i] : unknown;
    if (mayDeclare(frame, name))
      declare(frame.scope, name.text, held(frame, item, name.text, name.span), name.span, "let");
  }
}

function assign(frame: Frame, name: Name, e: Expr, span: Span): void {
  const binding = find(frame.scope, name.text);
  const value = evaluate(frame, e, binding?.type);
  if (!binding) {
    if (name.text === "") return;
    if (frame.file.names.has(name.text)) {
      const instead = "names of the file are constants; make a new one with `let`";
      report(frame, "misplaced", name.span, { what: `\`${name.text} = …\``, where: "here", instead });
      return;
    }
    const fixes = [
      {
        title: "make it with `let`",
        edits: [{ span: { ...span, end: span.start }, text: "let " }],
        meaning: "changes" as const,
      },
    ];
    const near = nearest(name.text, visible(frame.scope));
    const help =
      near === null ? {} : { help: `did you mean \`${near}\`? \`let ${name.text} = …\` makes a new name` };
    report(frame, "not-declared", name.span, { name: name.text }, { fixes, ...help });
    // From here on it exists, with an error: one message is enough.
    declare(frame.scope, name.text, unknown, name.span, "let");
    return;
  }
  if (binding.kind === "dimension" || binding.kind === "loop" || binding.kind === "output") {
    const what = { dimension: "a dimension", loop: "the name of a loop", output: "an output" }[binding.kind];
    report(frame, "misplaced", name.span, {
      what: `A new value of \`${name.text}\``,
      where: "here",
      instead: `it is ${what}; make another name with \`let\``,
    });
    return;
  }
  binding.values++;
  const fit = binding.type ? coerce(frame, value, binding.type, name.text, e.span, true) : value;
  binding.value = held(frame, fit, name.text, name.span);
}

function runFor(frame: Frame, statement: For): void {
  const over = evaluate(frame, statement.over);
  if (over.kind === "unknown") return;
  if (over.kind !== "list") {
    const expected = "a list; `range(4)` counts 0, 1, 2, 3";
    if (over.kind === "tensor")
      report(
        frame,
        "condition-on-data",
        statement.over.span,
        { name: textOf(frame, statement.over.span) },
        { help: "a loop is unrolled when the model is built; `Scan` goes over positions" },
      );
    else
      report(frame, "argument-type", statement.over.span, {
        argument: "for … in",
        expected,
        found: describe(over),
      });
    return;
  }
  const { rounds } = frame.instance;
  for (const [i, item] of over.items.entries()) {
    if (!frame.run.countRound(statement.span)) return;
    rounds.push(i);
    const inner = { ...frame, scope: newScope(frame.scope, "loop"), loops: frame.loops + 1 };
    if (mayDeclare(inner, statement.name))
      declare(inner.scope, statement.name.text, item, statement.name.span, "loop");
    runBody(inner, statement.body, "inner");
    rounds.pop();
    warnUnusedLets(frame, inner);
  }
}

/** `let x = …` in a loop where the outer x was meant. */
function warnUnusedLets(outer: Frame, inner: Frame): void {
  for (const [name, binding] of inner.scope.names) {
    const outside = binding.kind === "let" && !binding.used ? find(outer.scope, name) : undefined;
    if (!outside) continue;
    const span = { ...binding.span, start: letBefore(outer, binding.span) };
    const fixes = [{ title: "drop `let`", edits: [{ span, text: name }], meaning: "changes" as const }];
    remark(
      outer,
      "loop-let-unused",
      binding.span,
      { name },
      { fixes, related: [{ span: outside.span, message: "the outer one" }] },
    );
  }
}

function runIf(frame: Frame, first: If): void {
  let statement = first;
  for (;;) {
    const condition = evaluate(frame, statement.condition);
    if (condition.kind === "unknown") return;
    if (condition.kind !== "boolean") {
      const { span } = statement.condition;
      if (condition.kind === "tensor" || condition.kind === "learned")
        report(frame, "condition-on-data", span, { name: `\`${textOf(frame, span)}\`` });
      else
        report(frame, "argument-type", span, {
          argument: "if",
          expected: showType({ name: "bool", list: false }),
          found: describe(condition),
        });
      return;
    }
    const { otherwise } = statement;
    if (!condition.value && otherwise && "kind" in otherwise) {
      statement = otherwise;
      continue;
    }
    const branch = condition.value ? statement.then : (otherwise as BodyNode | null);
    if (branch) runBody({ ...frame, scope: newScope(frame.scope, "branch") }, branch, "inner");
    return;
  }
}
