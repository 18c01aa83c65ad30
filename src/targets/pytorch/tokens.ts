/**
 * Text with gaps: what an emission can't know yet stands in the text as a token of private-use characters, and is
 * filled in when names and constructor arguments have been decided.
 */
export type GapKind = "value" | "number" | "module" | "batch";

const marks: Readonly<Record<GapKind, string>> = {
  value: "\uE000",
  number: "\uE001",
  module: "\uE002",
  batch: "\uE003",
};
const end = "\uE00F";

export function gap(kind: GapKind, key: string | number): string {
  return `${marks[kind]}${key}${end}`;
}

function pattern(kind: GapKind): RegExp {
  return new RegExp(`${marks[kind]}([^${end}]*)${end}`, "g");
}

/** Every gap of one kind, replaced; `before` and `after` are up to two characters beside it. */
export function fill(
  text: string,
  kind: GapKind,
  by: (key: string, before: string, after: string) => string,
): string {
  return text.replace(pattern(kind), (whole: string, key: string, at: number) =>
    by(key, text.slice(Math.max(0, at - 2), at), text.slice(at + whole.length, at + whole.length + 2)),
  );
}

/** Keys of the gaps of one kind, in order, repeated ones too. */
export function keysOf(text: string, kind: GapKind): string[] {
  return [...text.matchAll(pattern(kind))].map((match) => match[1]);
}
