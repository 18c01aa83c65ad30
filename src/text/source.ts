/** Source text with positions: every later document points back here by `Span`. Plain data only. */

/** A half-open range of UTF-16 offsets in one file. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export interface SourceFile {
  /** The name shown to people, as they wrote it (relative where they gave a relative path). */
  readonly name: string;
  readonly text: string;
}

/** The source that `--set` is on the command line, one line for each: spans point into it, but it is no file. */
export const commandLine = "<command line>";

/** Sources that are files. */
export function filesOf(sources: ReadonlyMap<string, SourceFile>): SourceFile[] {
  return [...sources.values()].filter(({ name }) => name !== commandLine);
}

/** 1-based line, 1-based column, both counted in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Offsets of line starts; computed once per text and kept weakly. */
const lineStarts = new WeakMap<SourceFile, number[]>();

function startsOf(source: SourceFile): number[] {
  let starts = lineStarts.get(source);
  if (!starts) {
    starts = [0];
    for (let i = 0; i < source.text.length; i++) if (source.text.charCodeAt(i) === 10) starts.push(i + 1);
    lineStarts.set(source, starts);
  }
  return starts;
}

export function positionAt(source: SourceFile, offset: number): Position {
  const starts = startsOf(source);
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low] + 1 };
}

export function lineText(source: SourceFile, line: number): string {
  const starts = startsOf(source);
  const from = starts[line - 1] ?? source.text.length;
  const to = line < starts.length ? starts[line] - 1 : source.text.length;
  return source.text.slice(from, to).replace(/\r$/, "");
}
