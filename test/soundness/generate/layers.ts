/** Layers and their arguments, as text. */
import type { Shape } from "../../../src/model/model.ts";
import type { Dice } from "../dice.ts";

export const activations = [
  ..."ReLU GELU GELU(form: tanh) SiLU Tanh Sigmoid Abs Mish SELU HardSwish".split(/ (?=[A-Z])/),
  ...[
    "Softplus",
    "Softplus(beta: 3)",
    "ELU",
    "ELU(alpha: 2)",
    "LeakyReLU(slope: 1/5)",
    "LeakyReLU(slope: -2)",
    "ELU(alpha: -2)",
    "ELU(alpha: 0)",
    "Softplus(beta: 1/3)",
  ],
];

/** Every constraint there is, in sizes below, at and above 1. */
const constraints = [
  ..."none aol orthogonal unit_rows unit_rms spectral(1) spectral(0.7) spectral(3)".split(" "),
  ..."rms(1) rms(1/2) frobenius(1) frobenius(3) l1(1) l1(1/2)".split(" "),
];

const scaleOfNorm = (d: Dice): string =>
  d.pick([
    "learned(1, in: [-1, 1])",
    "learned(1, in: [1/2, 2])",
    "learned(0, in: [0, 0])",
    "learned(-1, in: [-2, -1])",
  ]);

export const policy = (d: Dice): string[] => {
  const constraint = d.chance(0.2) ? "none" : d.pick(constraints);
  return [
    `init: ${d.pick(["spectral", "spectral", "orthogonal", "trunc_normal(0.3)"])}`,
    ...(constraint === "none" ? [] : [`constraint: ${constraint}`]),
    ...(d.chance(0.5) ? ["bias: false"] : []),
    ...(d.chance(0.5) ? [`gamma: ${scaleOfNorm(d)}`] : []),
  ];
};

/** Now and then a layer has a constraint of its own. */
const own = (d: Dice): string => (d.chance(0.2) ? `, constraint: ${d.pick(constraints)}` : "");

/** A factor: fixed, learned, learned per channel. */
export function coefficient(d: Dice, channels: number | null): string {
  const number = d.pick(["1/2", "-1/3", "0.7", "3", "0.1", "-2", "0"]);
  if (d.chance(0.4)) return number;
  const range = d.pick(["[-1, 2]", "[-1/4, 1/5]", "[0.1, 0.3]", "[-2, -1]", "[0, 1/2]", "[0, 0]"]);
  const start = d.pick([number, number, "trunc_normal(0.5)", "ones"]);
  const shape = channels !== null && (d.chance(0.5) || start.length > 4) ? `, shape: [${channels}]` : "";
  const begins = shape === "" && /[a-z]/.test(start) ? number : start;
  return `learned(${begins}${shape}${d.chance(0.8) ? `, in: ${range}` : ""})`;
}

export function mixing(d: Dice, channels: number): string {
  const shape = d.chance(0.6) ? `, shape: [${channels}]` : "";
  return d.pick([
    "1/3",
    "0.9",
    "1",
    `learned(0.4${shape}, in: [0.1, 0.8])`,
    `learned(1/2${shape}, in: [0, 1])`,
  ]);
}

const windowed = (d: Dice, size: number): string => {
  const kernel = 1 + d.below(Math.min(3, size));
  const stride = d.pick([1, 1, 2, 3]);
  return `kernel: ${kernel}, stride: ${stride}, padding: ${d.below(kernel + 1)}`;
};

export function convolution(d: Dice, shape: Shape): string {
  const smallest = Math.min(...shape.slice(0, -1));
  const dilation = d.chance(0.3) ? `, dilation: ${d.pick([2, 3])}` : "";
  const padding =
    dilation === ""
      ? windowed(d, smallest)
      : `kernel: ${d.pick([2, 3])}, stride: ${d.pick([1, 2])}, padding: 3`;
  if (d.chance(0.5)) return `Conv(width: ${d.pick([1, 2, 4])}, ${padding}${dilation}${own(d)})`;
  return `DepthwiseConv(${padding}${dilation}${d.chance(0.3) ? ", multiplier: 2" : ""}${own(d)})`;
}

export function pool(d: Dice, shape: Shape): string {
  const kernel = 1 + d.below(Math.min(3, ...shape.slice(0, -1)));
  const args = `kernel: ${kernel}, stride: ${d.pick([1, 2, 3])}, padding: ${d.below(Math.floor(kernel / 2) + 1)}`;
  return d.chance(0.5)
    ? `MaxPool(${args})`
    : `AveragePool(${args}, divisor: ${d.pick(["window", "inside"])})`;
}

export function padding(d: Dice): string {
  const side = (name: string): string => `${name}: ${d.below(d.pick([2, 3, 5]))}`;
  const mode = d.pick(["zeros", "reflect", "circular", "replicate", "symmetric"]);
  return `Pad(${side("left")}, ${side("right")}, mode: ${mode})`;
}

export const linear = (d: Dice, width: number): string => `Linear(${width}${own(d)})`;

const norms = ["l2", "token", "linf", "rms"];

/** Layers that keep the shape and treat any value. */
export function plain(d: Dice, channels: number): string {
  const eps = d.pick(["1", "0.1", "0.01"]);
  const gamma = d.chance(0.3) ? `gamma: ${scaleOfNorm(d)}` : "";
  return d.pick([
    () => d.pick(activations),
    () => d.pick(activations),
    () => linear(d, channels),
    () => linear(d, channels),
    () => (channels >= 2 ? `CenterNorm(${gamma})` : "Tanh"),
    () => `LayerNorm(eps: ${eps}${gamma && ", "}${gamma})`,
    () => `RMSNorm(eps: ${eps}${gamma && ", "}${gamma})`,
    () => `UnitNorm(eps: ${eps}, guard: ${d.pick(["root", "max"])})`,
    () => `BatchNorm(${gamma})`,
    () => `Scale(${coefficient(d, channels)})`,
    () => d.pick(["Clamp(low: -1/2, high: 1/3)", "Clamp(low: 0.1, high: 2)", "Clamp(low: 1/4, high: 1/4)"]),
    () => `Project(norm: ${d.pick(norms)}, radius: ${d.pick(["1/2", "2"])})`,
    () => `Softmax(tau: ${d.pick(["1", "3", "-2", "learned(1, in: [-1, 2])"])})`,
    () => (channels % 2 === 0 ? d.pick(["MaxMin", "GroupSort(2)", `GroupSort(${channels})`]) : "Sigmoid"),
    () => (channels % 2 === 0 ? "Householder" : "Abs"),
    () => `PReLU(slope: ${coefficient(d, channels)})`,
    () => d.pick(["Twice", "Both", "Tied"]),
    () => d.pick(["Dropout(p: 0.3)", "DropPath(p: 0.3)"]),
    () => `SLL(width: ${d.pick([1, 3, 5])}, act: ${d.pick(["ReLU", "Tanh", "Sigmoid"])})`,
    () => `CPL(width: ${d.pick([1, 3, 5])}, act: ${d.pick(["ReLU", "Tanh", "Softplus"])})`,
    () => `Sandwich(width: ${channels}, act: ${d.pick(["ReLU", "Tanh", "Sigmoid", "Softplus"])})`,
    () =>
      `Normalize(mean: [${new Array(channels).fill("0.3")}], std: [${new Array(channels).fill("0.7").with(0, d.pick(["0.4", "2"]))}])`,
  ])();
}
