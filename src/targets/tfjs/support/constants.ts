/** Constants from their pattern. Embedded in generated files. */

/** start + Σ digit·by over the digits of the index, slowest first; for each digit its count and `by`. */
export function grid(start: number, digits: number[]): number[] {
  let entries = [start];
  for (let at = 0; at < digits.length; at += 2) {
    const steps = Array.from({ length: digits[at] }, (_, i) => i * digits[at + 1]);
    entries = entries.flatMap((head) => steps.map((step) => head + step));
  }
  return entries;
}

/** Zeros with ones in between: a distance, how often it comes in a row, and so on. */
export function ones(length: number, gaps: number[]): number[] {
  const entries = new Array<number>(length).fill(0);
  let at = -1;
  for (let i = 0; i < gaps.length; i += 2) {
    for (let times = gaps[i + 1]; times > 0; times--) entries[(at += gaps[i])] = 1;
  }
  return entries;
}
