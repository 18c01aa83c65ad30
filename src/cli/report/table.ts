/** Aligned columns of text, and the few styles that the reports use. */
import { widthOf } from "../../diagnostics/display-width.ts";
import { columns } from "../print.ts";

export type Paint = (style: "bold" | "dim" | "good" | "bad" | "name", text: string) => string;

const codes = { bold: "1", dim: "2", good: "32", bad: "1;31", name: "36" } as const;

export function painter(color: boolean): Paint {
  return (style, text) => (color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text);
}

export interface Column {
  readonly align: "left" | "right";
  /** At most so many characters, and fewer where the table would be too wide; what is longer is cut in the middle. */
  readonly most?: number;
}

/** Columns of the page, those of the terminal up to 100: reports keep within it, tables as far as their columns can be cut. */
export const pageWidth = Math.min(100, columns(process.stdout));
/** A column is cut to no less. */
const least = 12;

/** Rows as lines, two spaces between columns. */
export function tabulate(
  rows: readonly (readonly string[])[],
  columns: readonly Column[],
  indent = "  ",
): string[] {
  const widths = columns.map(({ most = Infinity }, i) =>
    Math.min(most, Math.max(0, ...rows.map((row) => widthOf(row[i] ?? "")))),
  );
  const total = (): number => indent.length + widths.reduce((a, b) => a + b, 2 * (widths.length - 1));
  for (let i = widths.length - 1; i >= 0; i--) {
    if (columns[i].most !== undefined)
      widths[i] = Math.min(widths[i], Math.max(least, widths[i] - (total() - pageWidth)));
  }
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const text = columns[i].most === undefined ? cell : shorten(cell, widths[i]);
      const space = " ".repeat(Math.max(0, widths[i] - widthOf(text)));
      return columns[i].align === "left" ? text + space : space + text;
    });
    return (indent + cells.join("  ")).trimEnd();
  });
}

function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const left = Math.ceil((most - 1) / 2);
  return `${text.slice(0, left)}…${text.slice(text.length - (most - 1 - left))}`;
}

/** Text in lines that fit the page, broken at spaces, later lines indented by two more. */
export function wrap(text: string, indent = "  "): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > pageWidth) {
      lines.push(line);
      line = `${indent}  ${word}`;
    } else line += line.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}
