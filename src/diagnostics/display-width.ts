/** How a line of source is shown in a terminal: tabs as spaces, nothing that could steer the terminal, known widths. */

const tabStop = 4;
// Wide in a fixed grid: Hangul, kana, CJK, full-width forms, emoji (Unicode 16 East Asian Width W and F, in blocks).
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const invisible = /[\p{M}\p{Cf}]/u;
const control = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** One character as it is shown, and the columns it takes from column `at`. */
export function showCharacter(character: string, at: number): { text: string; width: number } {
  if (character === "\t") {
    const width = tabStop - (at % tabStop);
    return { text: " ".repeat(width), width };
  }
  if (control.test(character)) return { text: "\ufffd", width: 1 };
  if (invisible.test(character)) return { text: character, width: 0 };
  return { text: character, width: wide.test(character) ? 2 : 1 };
}

/** Columns of a piece of text; what colours it takes none. */
export function widthOf(text: string): number {
  const plain = text.replace(/\u001b\[[\d;]*m/g, "");
  if (/^[ -~]*$/.test(plain)) return plain.length;
  return [...plain].reduce((width, character) => width + showCharacter(character, width).width, 0);
}

/** Spaces, but not that of 1 000. */
const breaks = / (?!(?<=\d )\d{3}(?!\d))/;

/**
 * A line broken at spaces so that it takes at most `width` columns; its first line begins after `used` of them, later ones
 * with `indent`. A word that is longer stands alone.
 */
export function fold(line: string, width: number, used: number, indent: string): string {
  let folded = "";
  let column = used;
  for (const [i, word] of line.split(breaks).entries()) {
    const size = widthOf(word);
    if (word !== "" && column + 1 + size > width && folded.trim() !== "") {
      folded = `${folded.trimEnd()}\n${indent}${word}`;
      column = widthOf(indent) + size;
    } else {
      folded += i === 0 ? word : ` ${word}`;
      column += i === 0 ? size : size + 1;
    }
  }
  return folded;
}

/** Text of a message without anything that a terminal would obey; newlines stay. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" ? "\n" : "\ufffd",
  );
}

export interface ShownLine {
  readonly text: string;
  /** Columns before and of the marked part. */
  readonly from: number;
  readonly width: number;
}

/** A line with the part [start, end) marked, cut to `limit` columns around the mark. */
export function showLine(line: string, start: number, end: number, limit: number): ShownLine {
  // Characters far from the mark can't be shown anyway: a line of a megabyte costs no more than a short one.
  const first = Math.max(0, start - 2 * limit);
  const cells: { text: string; width: number; offset: number }[] = [];
  let column = 0;
  let offset = first;
  for (const character of line.slice(first, Math.min(line.length, start + 3 * limit))) {
    const cell = showCharacter(character, column);
    cells.push({ ...cell, offset });
    column += cell.width;
    offset += character.length;
  }
  let from = 0;
  let width = 0;
  for (const cell of cells) {
    if (cell.offset < start) from += cell.width;
    else if (cell.offset < end) width += cell.width;
  }
  if (start > offset) from += start - offset;
  const whole = first === 0 && offset >= line.length;
  if (whole && column <= limit)
    return { text: cells.map((c) => c.text).join(""), from, width: Math.max(1, width) };

  const left = Math.max(0, Math.min(from - Math.floor(limit / 3), column - limit));
  let text = "";
  let shown = 0;
  let at = 0;
  let skipped = 0;
  for (const cell of cells) {
    if (at < left) skipped += cell.width;
    else if (shown + cell.width <= limit - 2) {
      text += cell.text;
      shown += cell.width;
    } else break;
    at += cell.width;
  }
  const cutLeft = skipped > 0 || first > 0;
  const cutRight = skipped + shown < column || offset < line.length;
  const shift = cutLeft ? 1 : 0;
  const place = Math.max(0, from - skipped) + shift;
  return {
    text: `${cutLeft ? "…" : ""}${text}${cutRight ? "…" : ""}`,
    from: place,
    width: Math.max(1, Math.min(width, shown + shift - place)),
  };
}
