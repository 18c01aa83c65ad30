/** The text part's problems → diagnostics, with positions, places that belong to them, and fixes. */
import type { Edit, Problem } from "../../grammar/problem.ts";
import type { Diagnostics, Fix } from "../diagnostics/diagnostic.ts";
import { positionAt, type SourceFile, type Span } from "../text/source.ts";

/** Mistakes of one file that are shown at most. */
export const shownLimit = 100;

export function reportProblems(
  source: SourceFile,
  problems: readonly Problem[],
  diagnostics: Diagnostics,
): void {
  const sorted = [...problems].sort((a, b) => a.start - b.start || a.end - b.end);
  const shown = sorted.filter((problem, i) => i < shownLimit || problem.kind === "too-deep");
  for (const problem of shown) reportProblem(source, problem, diagnostics);
  if (sorted.length > shownLimit) {
    const { start, end } = sorted[shownLimit];
    diagnostics.report("too-many-mistakes", { file: source.name, start, end }, { shown: shownLimit });
  }
}

function reportProblem(source: SourceFile, problem: Problem, diagnostics: Diagnostics): void {
  const span = spanOf(source, problem);
  const fix = (title: string, edits: readonly Edit[], meaning: Fix["meaning"] = "keeps"): Fix => ({
    title,
    edits: edits.map((edit) => ({
      span: { file: source.name, start: edit.start, end: edit.end },
      text: edit.text,
    })),
    meaning,
  });
  const replace = (text: string, title = `write \`${text}\``): Fix =>
    fix(title, [{ ...bounds(problem), text }]);
  const lineOf = (offset: number): number => positionAt(source, offset).line;

  switch (problem.kind) {
    case "unexpected-token": {
      const { expected, found } = problem;
      if (problem.atEnd) diagnostics.report("unexpected-end", span, { expected });
      else diagnostics.report("unexpected-token", span, { expected, found });
      return;
    }
    case "bad-character": {
      const { instead } = problem;
      const params = { found: show(problem.found), unicode: unicodeName(problem.found), instead };
      const fixes = [
        instead === null ? fix("remove it", [{ ...bounds(problem), text: "" }]) : replace(instead),
      ];
      diagnostics.report("bad-character", span, params, { fixes });
      return;
    }
    case "unterminated-string":
      diagnostics.report(
        "unterminated-string",
        span,
        {},
        {
          fixes: [
            fix(
              'put `"` at the end of the line',
              [{ start: problem.end, end: problem.end, text: '"' }],
              "changes",
            ),
          ],
        },
      );
      return;
    case "bad-number": {
      const fixes = problem.instead === null ? [] : [replace(problem.instead)];
      diagnostics.report("bad-number", span, { found: shorten(problem.found), why: problem.why }, { fixes });
      return;
    }
    case "other-language": {
      const { found, why, edits } = problem;
      diagnostics.report(
        "other-language",
        span,
        { found, why },
        { fixes: [fix(titleOf(source, edits), edits)] },
      );
      return;
    }
    case "not-closed": {
      const { open, close, at, found } = problem;
      const inserted = fix(`put \`${close}\` here`, [{ start: at, end: at, text: close }], "changes");
      const opener = spanOf(source, problem);
      const there = { file: source.name, start: at, end: at };
      const brace = open === "{";
      const expected = brace ? "`}`" : `\`,\` or \`${close}\``;
      diagnostics.report(
        "not-closed",
        brace ? opener : there,
        { open, line: lineOf(problem.start), expected, found },
        {
          related: brace ? [] : [{ span: opener, message: `\`${open}\` is opened here` }],
          fixes: brace ? [] : [inserted],
        },
      );
      return;
    }
    case "wrong-closer": {
      const { open, close, found, at } = problem;
      diagnostics.report(
        "wrong-closer",
        span,
        { open, close, found, line: lineOf(at) },
        {
          related: [
            { span: { file: source.name, start: at, end: at + 1 }, message: `\`${open}\` is opened here` },
          ],
          fixes: [replace(close)],
        },
      );
      return;
    }
    case "closes-nothing":
      diagnostics.report(
        "closes-nothing",
        span,
        { found: problem.found },
        {
          fixes: [fix("remove it", [{ ...bounds(problem), text: "" }])],
        },
      );
      return;
    case "comma-missing":
      diagnostics.report(
        "comma-missing",
        span,
        { open: problem.open, line: lineOf(problem.at) },
        {
          related: [
            {
              span: { file: source.name, start: problem.at, end: problem.at + 1 },
              message: `\`${problem.open}\` is opened here`,
            },
          ],
          fixes: [fix("put a comma", [{ start: problem.start, end: problem.start, text: "," }])],
        },
      );
      return;
    case "mixed-pipe": {
      const tight = applyEdits(source.text, problem.whole, problem.tight);
      const loose = applyEdits(source.text, problem.whole, problem.loose);
      const params = { operator: problem.operator, tight: shorten(tight), loose: shorten(loose) };
      diagnostics.report("mixed-pipe", span, params, {
        fixes: [
          fix(`\`${params.tight}\``, problem.tight, "changes"),
          fix(`\`${params.loose}\``, problem.loose, "changes"),
        ],
      });
      return;
    }
    case "chained-comparison": {
      const { first, second, at } = problem;
      const place = { file: source.name, start: at, end: at + first.length };
      diagnostics.report(
        "chained-comparison",
        span,
        { first, second },
        {
          related: [{ span: place, message: "the first comparison" }],
        },
      );
      return;
    }
    case "equals-in-argument": {
      const { name, nameStart, value } = problem;
      const whole = { file: source.name, start: nameStart, end: value?.end ?? problem.end };
      const edit = { start: nameStart + name.length, end: value?.start ?? problem.end, text: ": " };
      const found = shorten(source.text.slice(whole.start, whole.end));
      diagnostics.report(
        "equals-in-argument",
        whole,
        { name, found },
        { fixes: [fix(`write \`${name}:\``, [edit])] },
      );
      return;
    }
    case "too-deep":
      diagnostics.report("too-deep", span, { what: problem.what, limit: problem.limit });
      return;
    case "phase-missing":
      diagnostics.report("phase-missing", span, {});
      return;
    case "orphan-doc":
      diagnostics.report(
        "orphan-doc",
        span,
        {},
        {
          fixes: [fix("write `//`", [{ start: problem.start, end: problem.start + 3, text: "//" }])],
        },
      );
      return;
  }
}

function bounds(problem: Problem): { start: number; end: number } {
  return { start: problem.start, end: problem.end };
}

function spanOf(source: SourceFile, problem: Problem): Span {
  return { file: source.name, start: problem.start, end: problem.end };
}

function titleOf(source: SourceFile, edits: readonly Edit[]): string {
  if (edits.length !== 1) return "write it the lips way";
  const [{ start, end, text }] = edits;
  const written = text.trim();
  if (written === "") return `remove \`${shorten(source.text.slice(start, end).trim())}\``;
  return `write \`${shorten(written)}\``;
}

/** `text` of a region with the edits made. */
export function applyEdits(
  text: string,
  region: { start: number; end: number },
  edits: readonly Edit[],
): string {
  let out = "";
  let at = region.start;
  // Stable: of insertions at one place the first stays first.
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    out += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return out + text.slice(at, region.end);
}

/** One line of at most 60 characters: long readings would hide the sentence around them. */
export function shorten(text: string): string {
  const flat = text.replace(/\s+/g, " ").trim();
  return flat.length <= 60 ? flat : `${flat.slice(0, 40).trimEnd()} … ${flat.slice(-16).trimStart()}`;
}

function show(found: string): string {
  if (/^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(found)) return `\`${shorten(found)}\``;
  return [...found].length > 1 ? "A run of invisible characters" : "An invisible character";
}

function unicodeName(found: string): string {
  const point = found.codePointAt(0) ?? 0;
  const name = `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
  return [...found].length > 1 ? `${name} and more` : name;
}
