/** Positions in test sources: `┆` is a cursor, `⟦…⟧` a marked part; both are taken out of the text. */
import { positionAt, type Position, type SourceFile, type Span } from "../../src/text/source.ts";

export interface Marked {
  readonly source: SourceFile;
  readonly text: string;
  /** Offsets of the cursors, in order. */
  readonly cursors: readonly number[];
  readonly spans: readonly Span[];
}

/** The text without its marks, and where they stood. Throws on an unpaired mark: that is the test's mistake. */
export function marked(text: string, name = "test.lips"): Marked {
  const cursors: number[] = [];
  const spans: Span[] = [];
  const open: number[] = [];
  let plain = "";
  for (const [piece] of text.matchAll(/[^]/gu)) {
    if (piece === "┆") cursors.push(plain.length);
    else if (piece === "⟦") open.push(plain.length);
    else if (piece === "⟧" && open.length > 0)
      spans.push({ file: name, start: open.pop() as number, end: plain.length });
    else plain += piece;
  }
  if (open.length > 0) throw new Error("a ⟦ has no ⟧");
  spans.sort((a, b) => a.start - b.start);
  return { source: { name, text: plain }, text: plain, cursors, spans };
}

/** The one cursor of a text. */
export function cursorOf(found: Marked): number {
  if (found.cursors.length !== 1) throw new Error(`expected one ┆, found ${found.cursors.length}`);
  return found.cursors[0];
}

export function cursorPosition(found: Marked): Position {
  return positionAt(found.source, cursorOf(found));
}

/** The text with a span's ends shown as `⟦…⟧`: what a test compares. */
export function showSpan(text: string, span: { start: number; end: number }): string {
  return `${text.slice(0, span.start)}⟦${text.slice(span.start, span.end)}⟧${text.slice(span.end)}`;
}
