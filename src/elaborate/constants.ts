/** `let` at file level: static, evaluated when first asked for. */
import { evaluate } from "./expression.ts";
import type { FileName } from "./files.ts";
import { report, type Frame } from "./frame.ts";
import { newInstance } from "./instance.ts";
import { newScope } from "./scope.ts";
import { coerce, typeWritten } from "./types.ts";
import { describe, unknown, type Val } from "./values.ts";
import type { Span } from "../text/source.ts";

/** The frame of a file's own level: no scope around, nothing flows. */
export function fileFrame(frame: Pick<Frame, "run">, file: Frame["file"]): Frame {
  return {
    run: frame.run,
    file,
    scope: newScope(null, "constants"),
    model: null,
    instance: newInstance(null, ""),
    owner: file.source.name,
    dimensions: null,
    calls: [],
    sharing: null,
    depth: 0,
    loops: 0,
  };
}

export function constantValue(
  frame: Frame,
  known: Extract<FileName, { kind: "constant" }>,
  name: string,
  span: Span,
): Val {
  const { file, let: statement } = known;
  // `as` may have renamed it: the value is kept under its own name.
  const own = ownName(known, name);
  const before = file.constants.get(own);
  if (before === "running") {
    report(frame, "constant-cycle", span, { name });
    return unknown;
  }
  if (before) {
    if (before.kind === "unknown") frame.run.failed = true;
    return before;
  }
  const { pattern, type } = statement;
  const names = pattern.kind === "name" ? [pattern.name] : pattern.names;
  for (const n of names) file.constants.set(n.text, "running");
  const inside = fileFrame(frame, file);
  const expected = type ? typeWritten(inside, type) : null;
  let value = evaluate(inside, statement.value, expected ?? undefined);
  if (expected) value = coerce(inside, value, expected, own, statement.value.span, true);
  if (type?.kind === "shape") {
    report(inside, "misplaced", type.span, {
      what: "A shape",
      where: "at file level",
      instead: "constants are static values",
    });
    value = unknown;
  }
  const items =
    pattern.kind === "list" && value.kind === "list" && value.items.length === names.length
      ? value.items
      : null;
  if (pattern.kind === "list" && !items && value.kind !== "unknown") {
    report(inside, "pattern-length", pattern.span, { names: names.length, found: describe(value) });
  }
  for (const [i, n] of names.entries()) {
    const own = pattern.kind === "list" ? (items?.[i] ?? unknown) : value;
    file.constants.set(n.text, labelled(own, n.text));
  }
  const made = file.constants.get(own);
  return made && made !== "running" ? made : unknown;
}

function labelled(value: Val, name: string): Val {
  return value.kind === "layer" || value.kind === "learned" ? { ...value, label: name } : value;
}

function ownName(known: Extract<FileName, { kind: "constant" }>, name: string): string {
  const { pattern } = known.let;
  if (pattern.kind === "name") return pattern.name.text;
  if (pattern.names.some((n) => n.text === name)) return name;
  for (const [own, value] of known.file.names) if (value === known) return own;
  return name;
}
