/** Words: nearest names for "did you mean", snake case for weight paths, names that are taken. */

/** Edit distance with transpositions (restricted Damerau–Levenshtein), at most `most` + 1. */
export function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let smallest = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        d = Math.min(d, before[j - 2] + 1);
      next.push(d);
      smallest = Math.min(smallest, d);
    }
    if (smallest > most) return most + 1;
    before = row;
    row = next;
  }
  return row[b.length];
}

/** The name that was probably meant, or null. Case alone counts as no difference. */
export function nearest(name: string, known: Iterable<string>): string | null {
  if (name.length > 60) return null;
  // One letter is never a slip of another one: only its case can be.
  const most = name.length < 2 ? 0 : Math.max(1, Math.floor(name.length / 3));
  let best: string | null = null;
  let bestDistance = most + 1;
  for (const candidate of known) {
    const distance =
      candidate.toLowerCase() === name.toLowerCase() ? 0 : editDistance(name, candidate, bestDistance - 1);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `LipsBlock` → `lips_block`, `GELU` → `gelu`, `MLPHead` → `mlp_head`. */
export function snakeCase(name: string): string {
  return name
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1_$2")
    .replace(/(\p{N})(\p{Lu}\p{Ll})/gu, "$1_$2")
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1_$2")
    .toLowerCase();
}

/** Lower-case names with a meaning of their own. */
export const functionNames: ReadonlySet<string> = new Set([
  ...["range", "len", "sum", "min", "max", "floor", "ceil", "sqrt", "exp", "log"],
  ...["learned", "shared", "solve"],
]);
