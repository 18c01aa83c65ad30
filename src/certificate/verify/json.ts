/**
 * JSON that every reader reads alike. JSON.parse takes the last of two equal keys, other readers the first or neither: what
 * was checked could be something else than what is read.
 */

/** Throws a SyntaxError where the text is no JSON, names a key twice, or is nested too deeply. */
export function parseJson(text: string): unknown {
  const parsed = JSON.parse(text) as unknown;
  // In JSON a string before a colon is a key.
  let written = 0;
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)) if (colon) written++;
  if (written !== keysIn(parsed, 0)) throw new SyntaxError("an object has two keys of one name");
  return parsed;
}

/** Far more than any graph needs; what follows recurs. */
const deepest = 1000;

function keysIn(x: unknown, depth: number): number {
  if (typeof x !== "object" || x === null) return 0;
  if (depth > deepest) throw new SyntaxError(`it is nested more than ${deepest} deep`);
  const own = Array.isArray(x) ? 0 : Object.keys(x).length;
  return Object.values(x).reduce<number>((n, item) => n + keysIn(item, depth + 1), own);
}
