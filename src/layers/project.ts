import { numberDown } from "../elaborate/rational.ts";
import { closeRange } from "../gain/range.ts";
import { minBound, nextDown, sqrtDown, storedTowardZero } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { allNorms, mapped, storedNumber, towardZero } from "./pointwise.ts";

interface ProjectConfig {
  readonly [key: string]: string | number;
  readonly norm: "l2" | "token" | "linf";
  readonly radius: number;
}

/**
 * The nearest point in a ball: of the whole value (l2), of each token (token; rms is token with radius r√c), or of
 * each entry (linf). `gains.md`, "Clamp and Project".
 *
 * Gain: l2 1 for the l2 ball; l2 and token 1 for token balls; l2, token and linf 1 for linf. Proof: the nearest-point
 * map of a closed convex set in a Euclidean space doesn't expand; the token ball is a product of balls, one for each
 * token, the linf ball a product of intervals. The l2 ball has no better token gain than closing gives, since one
 * factor for all tokens depends on all tokens.
 * Range: the radius in its norm, and no norm grows: each token is multiplied by a factor in (0, 1]. The stored radius
 * is rounded towards zero, so that the written one holds. Lowered as x/√max(‖x/r‖², 1): exact in real arithmetic, and
 * its gradient is finite at 0.
 */
export const project = defineLayer<ProjectConfig>({
  name: "Project",
  summary: "nearest point in a ball of the given norm",
  signature: {
    tensors: ["x"],
    params: [
      { name: "norm", type: "Norm", doc: "l2, token, linf or rms" },
      { name: "radius", type: "real", doc: "above 0" },
    ],
    shape: "S -> S",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const { name } = call.option("norm");
    const channels = shape[shape.length - 1];
    const round = name === "rms" ? rmsRadius(channels) : towardZero;
    const radius = storedNumber(call, "radius", "above 0", (x) => x > 0, round);
    if (radius === undefined) return undefined;
    const norm = name === "l2" || name === "linf" ? name : "token";
    return { config: { norm, radius }, outputs: [shape] };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => {
      const { norm } = context.config;
      const stated = norm === "l2" ? { l2: 1 } : norm === "token" ? { l2: 1, token: 1 } : allNorms(1);
      return mapped(context, input, stated, "Clamp and Project");
    },
    range: ({ config: { norm, radius }, ranges: [input], outputs: [shape] }) => {
      const stated = {
        low: Math.min(input.low, 0),
        high: Math.max(input.high, 0),
        l2: input.l2,
        token: input.token,
        linf: input.linf,
        spread: input.spread,
      };
      return [closeRange({ ...stated, [norm]: minBound(stated[norm], radius) }, shape)];
    },
  },
  lower: ({ builder: b, inputs: [x], config: { norm, radius } }) => {
    if (norm === "linf") return [b.minimum(b.maximum(x, -radius), radius)];
    const last = x.shape.length - 1;
    const axes = norm === "token" ? [last] : x.shape.map((_, i) => i).slice(1);
    const unit = b.div(x, radius);
    const square = b.sum(b.mul(unit, unit), axes, true);
    return [b.div(x, b.sqrt(b.maximum(square, 1)))];
  },
});

/** rms ≤ r exactly where the token norm is ≤ r√c; rounded down. */
function rmsRadius(channels: number): typeof towardZero {
  return (exact) => storedTowardZero(nextDown(numberDown(exact) * sqrtDown(channels)));
}
