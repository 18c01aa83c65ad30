/** Layers that map each token by one affine map, as sums of matrices times inputs; a bias is a constant and drops out. */
import { channelsOf, type Shape } from "./gains.ts";
import { identityMatrix, productOf, rowsOf, sumOf, type Matrix } from "./matrix.ts";
import type { Coefficient, Config, Node } from "./rule.ts";
import type { Windows } from "./windows.ts";

export interface Summand {
  readonly input: number;
  readonly matrix: Matrix;
}

interface Site {
  readonly node: Node;
  /** Channels of inputs and outputs. */
  readonly from: readonly number[];
  readonly to: readonly number[];
}

type Form = (site: Site) => readonly (readonly Summand[])[] | null;

const one = (matrix: Matrix): readonly (readonly Summand[])[] => [[{ input: 0, matrix }]];
const diagonal = (size: number, entries: readonly number[] | number): Matrix => ({
  kind: "diagonal",
  rows: size,
  columns: size,
  entries,
});
const coefficient = (size: number, c: Coefficient): Matrix =>
  diagonal(size, c.kind === "constant" ? [c.value] : c.weight);
const config = <C>({ config }: Node): C => config as unknown as C & Config;
const main = ({ node, from, to }: Site): Matrix => ({
  kind: "weight",
  rows: to[0],
  columns: from[0],
  weight: node.weights.weight,
});
const kept: Form = ({ to }) => one(identityMatrix(to[0]));
const sum =
  (sign: 1 | -1): Form =>
  ({ to }) => {
    const whole = identityMatrix(to[0]);
    return [
      [
        { input: 0, matrix: whole },
        { input: 1, matrix: sumOf([{ factor: sign, of: whole }]) },
      ],
    ];
  };

const forms: { readonly [layer: string]: Form } = {
  Linear: (site) => one(main(site)),
  Conv: (site) => {
    const { kernel, stride, padding } = config<Windows>(site.node);
    return kernel === 1 && stride === 1 && padding === 0 ? one(main(site)) : null;
  },
  Split: ({ from, to }) =>
    to.map((width, i) => [{ input: 0, matrix: rowsOf(identityMatrix(from[0]), i * width, width) }]),
  CenterNorm: ({ node, to: [d] }) =>
    one(productOf(diagonal(d, node.weights.gamma), { kind: "centre", rows: d, columns: d })),
  Normalize: ({ node, to: [d] }) => one(diagonal(d, config<{ scale: readonly number[] }>(node).scale)),
  Scale: ({ node, to: [d] }) => one(coefficient(d, config<{ by: Coefficient }>(node).by)),
  Offset: kept,
  Dropout: kept,
  DropPath: kept,
  Add: sum(1),
  Subtract: sum(-1),
  Residual: ({ node, to: [d] }) => {
    const { alpha, form } = config<{ alpha: Coefficient; form: string }>(node);
    const [whole, branch] = [identityMatrix(d), coefficient(d, alpha)];
    const skip =
      form === "convex"
        ? sumOf([
            { factor: 1, of: whole },
            { factor: -1, of: branch },
          ])
        : whole;
    return [
      [
        { input: 0, matrix: skip },
        { input: 1, matrix: branch },
      ],
    ];
  },
};

/** Of each output; null where the layer is no such map. */
export function summandsOf(node: Node, shape: (value: number) => Shape): ReturnType<Form> {
  if (!Object.hasOwn(forms, node.layer)) return null;
  const channels = (value: number): number => channelsOf(shape(value));
  return forms[node.layer]({ node, from: node.inputs.map(channels), to: node.outputs.map(channels) });
}

/** diag(n) of a map that treats every channel by itself: a depthwise convolution with one kernel for each. */
export function channelsIn(node: Node, shape: (value: number) => Shape): Matrix | null {
  if (node.layer !== "DepthwiseConv") return null;
  const { kernel, padding, dilation, multiplier } = config<Windows & { multiplier: number }>(node);
  if (multiplier !== 1) return null;
  const input = shape(node.inputs[0]);
  const size = channelsOf(input);
  // On a torus of these positions the zero-padded map doesn't meet itself (docs/gains.md, "Conv").
  const torus = input.slice(0, -1).map((n) => n + Math.min(padding, (kernel - 1) * dilation));
  return { kind: "channels", rows: size, columns: size, weight: node.weights.weight, torus, dilation };
}
