/** Aligned columns of text, and the few styles that the reports use. */
import { fold, widthOf } from "../../diagnostics/display-width.ts";
import { isLive } from "../../runtime/progress.ts";
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
  /** A column with `most` is cut to no less; 12 by default. */
  readonly least?: number;
}

/** Columns of the page, those of the terminal up to 100: reports keep within it, tables as far as their columns can be cut. */
export const pageWidth = Math.min(100, columns(process.stdout));
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
    const { most, least = 12 } = columns[i];
    if (most !== undefined)
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
  return (indent + fold(text, pageWidth, indent.length, `${indent}  `)).split("\n");
}

/** `model    Small (weights.safetensors)`: a line that a command says of its work. On a terminal it is broken where it ends. */
export function fact(name: string, text: string): string {
  const label = name.padEnd(9);
  const width = isLive(process.stdout) ? columns(process.stdout) : Infinity;
  return `${label}${fold(text, width, label.length, " ".repeat(label.length))}\n`;
}
