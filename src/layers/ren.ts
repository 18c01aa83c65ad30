import { requireRank, showShape } from "./check.ts";
import { defineLayer, type Call, type ParamSignature } from "./layer.ts";
import { storedNumber } from "./pointwise.ts";
import type { Shape } from "../model/model.ts";

export const plantParams: readonly ParamSignature[] = [
  { name: "states", type: "int", doc: "size n of the state" },
  { name: "features", type: "int", doc: "size l of what enters the nonlinearity" },
];
export const gainParams: readonly ParamSignature[] = [
  { name: "gamma", type: "real", optional: true, doc: "gain asked of the whole layer" },
  { name: "rate", type: "real", optional: true, doc: "rate at which states forget, in (0, 1]" },
];

/**
 * Recurrent equilibrium network (Revay, Wang and Manchester, 2023, arXiv 2104.05942):
 * z_{t+1} = A·z + B1·w + B2·u + b_x, v = C1·z + D11·w + D12·u + b_v with w = ρ(v), y = C2·z + D21·w + D22·u + b_y.
 * Weights: those matrices, explicitly; D11 is l×l, of which only the part below the diagonal acts. `gains.md`, "R2DN
 * and REN".
 *
 * No gain rule: contraction in a learned metric is a linear matrix inequality in the weights at hand, so it can be
 * certified only for a checkpoint.
 */
export const ren = defineLayer({
  name: "REN",
  summary: "recurrent equilibrium network",
  signature: {
    tensors: ["x"],
    params: [
      ...plantParams,
      { name: "outputs", type: "int", doc: "channels of the result" },
      { name: "act", type: "Layer", default: "ReLU", doc: "scalar activation" },
      ...gainParams,
    ],
    shape: "[t, m] -> [t, outputs]",
  },
  infer: (call) => {
    const sizes = readPlant(call, "REN");
    if (!sizes) return undefined;
    const body = call.step("act", [[sizes.l]]);
    if (!body) return undefined;
    const weights = {
      ...plant(call, sizes),
      d11: call.weight("d11", { shape: [sizes.l, sizes.l], role: "matrix", constraint: free }),
    };
    return { config: sizes.config, outputs: [sizes.output], weights, body };
  },
  macs: ({ shapes: [[t, m]], outputs: [[, p]], config, step }) => {
    const [n, l] = [Number(config.states), Number(config.features)];
    return t * ((n + l + p) * (n + l + m) - (l * (l + 1)) / 2 + step);
  },
  rules: { none: "the gain of REN rests on a linear matrix inequality, which no part of lipsc solves yet" },
  lower: { none: "the recurrence of REN has no lowering yet" },
});

const free = { kind: "none" } as const;

interface Sizes {
  readonly n: number;
  readonly l: number;
  readonly m: number;
  readonly p: number;
  readonly output: Shape;
  readonly config: { readonly [key: string]: number };
}

/** Sizes of the linear part; undefined after a reported mistake. */
export function readPlant(call: Call, layer: string): Sizes | undefined {
  if (!requireRank(call, layer, [2], "a sequence", "[t, m]")) return undefined;
  const [t, m] = call.inputs[0].shape;
  const [n, l, p] = [call.int("states"), call.int("features"), call.int("outputs")];
  const gamma = call.has("gamma") ? storedNumber(call, "gamma", "above 0", (x) => x > 0) : undefined;
  const rate = call.has("rate") ? storedNumber(call, "rate", "in (0, 1]", (x) => x > 0 && x <= 1) : undefined;
  if (call.failed) return undefined;
  const asked = { ...(gamma === undefined ? {} : { gamma }), ...(rate === undefined ? {} : { rate }) };
  return { n, l, m, p, output: [t, p], config: { states: n, features: l, ...asked } };
}

/** The matrices and biases of the linear part, without D11. */
export function plant(call: Call, { n, l, m, p }: Sizes): { readonly [name: string]: number } {
  const matrix = (name: string, rows: number, columns: number): number =>
    call.weight(name, { shape: [rows, columns], role: "matrix", constraint: free });
  const bias = (name: string, size: number): number =>
    call.weight(name, { shape: [size], role: "bias", init: { kind: "zeros" } });
  return {
    a: matrix("a", n, n),
    b1: matrix("b1", n, l),
    b2: matrix("b2", n, m),
    c1: matrix("c1", l, n),
    d12: matrix("d12", l, m),
    c2: matrix("c2", p, n),
    d21: matrix("d21", p, l),
    d22: matrix("d22", p, m),
    bias_state: bias("bias_state", n),
    bias_features: bias("bias_features", l),
    bias_output: bias("bias_output", p),
  };
}

/** Whether the inner network keeps [features]. */
export function keepsFeatures(call: Call, layer: string, found: Shape, l: number): boolean {
  if (found.length === 1 && found[0] === l) return true;
  call.fail("different-shapes", { layer, expected: showShape([l]), found: showShape(found) }, "inner");
  return false;
}
