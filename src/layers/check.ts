/** Checks that shape rules share. Each reports at the call and says whether the rule may go on. */
import type { Shape } from "../model/model.ts";
import type { Call } from "./layer.ts";

export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Whether the first value has one of these ranks; `works` and `expected` say which, for people. */
export function requireRank(
  call: Call,
  layer: string,
  ranks: readonly number[],
  works: string,
  expected: string,
): boolean {
  const found = call.inputs[0].shape;
  if (ranks.includes(found.length)) return true;
  const flattens = found.length === 3 && ranks.includes(2);
  const help = flattens ? "put `|> Flatten(tokens)` before it" : undefined;
  call.fail("wrong-rank", { layer, works, expected, found: showShape(found) }, undefined, help);
  return false;
}

/** Whether `top` is a multiple of `bottom`; `needs` is the quotient in the layer's words: "h / size". */
export function requireMultiple(
  call: Call,
  layer: string,
  top: number,
  bottom: number,
  needs: string,
): boolean {
  if (bottom > 0 && top % bottom === 0) return true;
  call.fail("not-divisible", { top: String(top), bottom: String(bottom), layer, needs });
  return false;
}

/** Whether all values have the first one's shape. */
export function requireSameShapes(call: Call, layer: string): boolean {
  const [first, ...others] = call.inputs;
  const other = others.find(
    (o) => o.shape.length !== first.shape.length || o.shape.some((n, i) => n !== first.shape[i]),
  );
  if (!other) return true;
  call.fail("different-shapes", { layer, expected: showShape(first.shape), found: showShape(other.shape) });
  return false;
}
