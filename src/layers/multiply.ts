import type { Range } from "../gain/facts.ts";
import { entry, gainOf, isNothing, norms, type Gain, type Reason } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { addUp, minBound, mulUp } from "../gain/up.ts";
import type { Norm } from "../model/model.ts";
import { requireSameShapes } from "./check.ts";
import { defineLayer } from "./layer.ts";
import { intervalProduct } from "./pointwise.ts";

/**
 * Elementwise product a ⊙ b of two values of one shape. `gains.md`, "Product".
 *
 * Gain, for every source norm p: G[p→q] = T(a, b) + T(b, a), where T(a, b) bounds ‖a ⊙ δb‖_q:
 *   R∞(a)·G(b)[p→q] for every q; for q = l2 also R_l2(a)·G(b)[p→linf]; for q = token also R_token(a)·G(b)[p→linf].
 * Proof: a⊙b − a'⊙b' = a⊙(b − b') + b'⊙(a − a'), with a at one point of the domain and b' at another, both in range;
 * ‖a⊙δ‖_q ≤ ‖a‖∞‖δ‖_q and ‖a⊙δ‖_q ≤ ‖a‖_q‖δ‖∞. Each term takes the smaller one. The domain need not be convex.
 * A factor whose other factor doesn't depend on the source costs nothing, whatever its range.
 * Without finite ranges there is no gain: x ⊙ x is not Lipschitz on the whole space.
 */
export const multiply = defineLayer({
  name: "Multiply",
  summary: "elementwise product of two values; needs the range of both",
  signature: { tensors: ["a", "b"], params: [], shape: "S, S -> S" },
  infer: (call) =>
    requireSameShapes(call, "Multiply") ? { config: {}, outputs: [call.inputs[0].shape] } : undefined,
  macs: () => 0,
  rules: {
    gain: (context, [a, b]) => {
      const [ra, rb] = context.ranges;
      const entries = norms.flatMap((p) => norms.map((q) => addUp(term(ra, b, p, q), term(rb, a, p, q))));
      const limits = [isNothing(b) ? null : ra.why, isNothing(a) ? null : rb.why].filter(
        (w): w is Reason => w !== null,
      );
      const why: Reason = {
        text: "two values that depend on the input are multiplied, and the range of a factor is not bounded",
        path: context.node.path,
        because: limits,
        fix: "Clamp(low, high) or Project(token, radius) before the product",
      };
      return [{ gain: gainOf(entries, a.why, b.why, why), rule: "Product" }];
    },
    range: ({ ranges: [a, b], outputs: [shape] }) => {
      const [low, high] = intervalProduct([a.low, a.high], [b.low, b.high]);
      const stated = {
        low,
        high,
        linf: mulUp(a.linf, b.linf),
        token: minBound(mulUp(a.linf, b.token), mulUp(a.token, b.linf)),
        l2: minBound(mulUp(a.linf, b.l2), mulUp(a.l2, b.linf)),
      };
      return [closeRange(stated, shape, a.why ?? b.why)];
    },
  },
  lower: ({ builder, inputs: [a, b] }) => [builder.mul(a, b)],
});

/** ≥ ‖fixed ⊙ δ‖_q over ‖δsource‖_p, δ bounded by `moving`. */
function term(fixed: Range, moving: Gain, p: Norm, q: Norm): number {
  const plain = mulUp(fixed.linf, entry(moving, p, q));
  return q === "linf" ? plain : minBound(plain, mulUp(fixed[q], entry(moving, p, "linf")));
}
