/**
 * AveragePool: the mean of each window, channel by channel. The divisor is the number of positions inside of
 * the map (`inside`), or the whole window's, padding included (`window`, PyTorch's default).
 *
 * Gain ("AveragePool"). Along an axis window i averages n_i positions with divisor D_i (n_i or k), and a
 * position is in at most μ windows (as in MaxPool). Products over the axes of
 *   l2: √(max n_i/D_i · μ/min D_i)     l2→token: √max(n_i/D_i²)     token, linf: max n_i/D_i ≤ 1
 * which for the divisor n_i is √(μ/min n_i), 1/√min n_i and 1, and 1/k for k×k windows at stride k.
 * Proof. Along an axis the map is a matrix with entries 1/D_i, so ‖A‖₂ ≤ √(‖A‖_∞‖A‖₁) (Schur) ≤ √(row sum ·
 * column sum); a row has norm √n_i/D_i (Cauchy–Schwarz). Over two axes it is the Kronecker product of the
 * two, the same for every channel, and norms multiply. A token of the result is a mean (or less) of tokens.
 * The smallest window counts, not k: at the border of a padded map n_i is smaller.
 */
import { channelsOf } from "../gain/gain.ts";
import { divUp, mulUp, sqrtUp } from "../gain/up.ts";
import type { Shape } from "../model/model.ts";
import { affineRules } from "./affine.ts";
import { defineLayer } from "./layer.ts";
import { inferPool, joinAxis, poolParams, type PoolConfig } from "./pool.ts";
import { mostReads, mostTaps, windowCount, windowPositions } from "./windows.ts";

type AverageConfig = PoolConfig & { readonly divisor: "window" | "inside" };

/** Divisor of each window along an axis. */
function divisors(size: number, config: AverageConfig): number[] {
  return windowPositions(size, config).map((read) =>
    config.divisor === "inside" ? read.length : config.kernel,
  );
}

/**
 * Fewest positions of the map in a window: the number is concave in the window's place, so in the first or
 * the last.
 */
function fewestTaps(size: number, w: PoolConfig): number {
  const inside = (start: number): number => Math.min(size, start + w.kernel) - Math.max(0, start);
  return Math.min(inside(-w.padding), inside((windowCount(size, w) - 1) * w.stride - w.padding));
}

/** Along one axis: row sum, column sum and the square of a row's norm. */
function axisNorms(size: number, config: AverageConfig): { row: number; column: number; square: number } {
  const reads = mostReads(size, config);
  const most = mostTaps(size, config);
  if (config.divisor === "window") {
    const k = config.kernel;
    return { row: divUp(most, k), column: divUp(reads, k), square: divUp(most, k * k) };
  }
  const fewest = fewestTaps(size, config);
  return { row: 1, column: divUp(reads, fewest), square: divUp(1, fewest) };
}

function norms(config: AverageConfig, shape: Shape): { row: number; l2: number; toToken: number } {
  const axes = shape.slice(0, -1).map((size) => axisNorms(size, config));
  const product = (numbers: readonly number[]): number => numbers.reduce(mulUp, 1);
  return {
    row: product(axes.map((a) => a.row)),
    l2: sqrtUp(product(axes.map((a) => mulUp(a.row, a.column)))),
    toToken: sqrtUp(product(axes.map((a) => a.square))),
  };
}

export const averagePool = defineLayer<AverageConfig>({
  name: "AveragePool",
  summary: "The mean of each window.",
  signature: {
    tensors: ["x"],
    params: [
      ...poolParams,
      {
        name: "divisor",
        type: "Word",
        words: ["window", "inside"],
        default: "window",
        doc: "divide by the window's size, or by its positions inside of the map",
      },
    ],
    shape: "[h, w, c] -> [h', w', c]",
  },
  infer(call) {
    const divisor = call.word("divisor") === "inside" ? "inside" : "window";
    const pool = inferPool(call, "AveragePool");
    if (!pool) return undefined;
    return {
      config: { ...pool.windows, divisor },
      outputs: [[...pool.positions, channelsOf(call.inputs[0].shape)]],
    };
  },
  macs: () => 0,
  rules: affineRules("AveragePool", ({ config, shapes }) => {
    const { row, l2, toToken } = norms(config, shapes[0]);
    const constant = config.padding === 0 || config.divisor === "inside";
    return {
      stated: { l2, "l2->token": toToken, token: row, linf: row },
      ...(constant ? { spread: row } : {}),
      entries: constant ? "kept" : "kept or zero",
    };
  }),
  lower({ builder, config, inputs, shapes }) {
    let y = inputs[0];
    const rank = y.shape.length;
    for (let axis = 1; axis < rank - 1; axis++) {
      y = joinAxis(builder, y, axis, config, 0, builder.add);
      const by = divisors(shapes[0][axis - 1], config);
      const size = y.shape.map((n, i) => (i === axis ? n : 1));
      y = builder.div(y, by.every((d) => d === by[0]) ? builder.constant(by[0]) : builder.constant(by, size));
    }
    return [y];
  },
});
