/** Aligned columns of text, and the few styles that the reports use. */

export type Paint = (style: "bold" | "dim" | "good" | "bad" | "name", text: string) => string;

const codes = { bold: "1", dim: "2", good: "32", bad: "1;31", name: "36" } as const;

export function painter(color: boolean): Paint {
  return (style, text) => (color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text);
}

export interface Column {
  readonly align: "left" | "right";
  /** At most so many characters; what is longer is cut in the middle. */
  readonly most?: number;
}

/** Rows as lines; the first row is the head where `head` says so. Two spaces between columns. */
export function tabulate(
  rows: readonly (readonly string[])[],
  columns: readonly Column[],
  indent = "  ",
): string[] {
  const cut = rows.map((row) => row.map((cell, i) => shorten(cell, columns[i]?.most)));
  const widths = columns.map((_, i) => Math.max(0, ...cut.map((row) => (row[i] ?? "").length)));
  return cut.map((row) => {
    const cells = row.map((cell, i) =>
      columns[i].align === "left" ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
    );
    return (indent + cells.join("  ")).trimEnd();
  });
}

function shorten(text: string, most: number | undefined): string {
  if (most === undefined || text.length <= most) return text;
  const left = Math.ceil((most - 1) / 2);
  return `${text.slice(0, left)}…${text.slice(text.length - (most - 1 - left))}`;
}
