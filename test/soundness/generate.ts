/** Random well-typed sources over all executable layers: short, so that bounds stay near to what is attained. */
import type { Shape } from "../../src/model/model.ts";
import type { Line, Program } from "./program.ts";

interface Named {
  readonly name: string;
  readonly shape: Shape;
}

export class Dice {
  private readonly random: () => number;
  constructor(random: () => number) {
    this.random = random;
  }
  /** A whole number below n. */
  below(n: number): number {
    return Math.floor(this.random() * n);
  }
  chance(p: number): boolean {
    return this.random() < p;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}

const activations = [
  ..."ReLU GELU GELU(form: tanh) SiLU Tanh Sigmoid Abs Mish SELU HardSwish".split(/ (?=[A-Z])/),
  ...[
    "Softplus",
    "Softplus(beta: 3)",
    "ELU",
    "ELU(alpha: 2)",
    "LeakyReLU(slope: 1/5)",
    "LeakyReLU(slope: -2)",
  ],
];

/** A factor: fixed, learned, learned per channel. */
function coefficient(d: Dice, channels: number | null): string {
  const number = d.pick(["1/2", "-1/3", "0.7", "3", "0.1", "-2", "0"]);
  if (d.chance(0.4)) return number;
  const range = d.pick(["[-1, 2]", "[-1/4, 1/5]", "[0.1, 0.3]", "[-2, -1]"]);
  const start = d.pick([number, number, "trunc_normal(0.5)", "ones"]);
  const shape = channels !== null && (d.chance(0.5) || start.length > 4) ? `, shape: [${channels}]` : "";
  const begins = shape === "" && /[a-z]/.test(start) ? number : start;
  return `learned(${begins}${shape}${d.chance(0.8) ? `, in: ${range}` : ""})`;
}

function mixing(d: Dice, channels: number): string {
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

function convolution(d: Dice, shape: Shape): string {
  const smallest = Math.min(...shape.slice(0, -1));
  const dilation = d.chance(0.3) ? `, dilation: ${d.pick([2, 3])}` : "";
  const padding =
    dilation === ""
      ? windowed(d, smallest)
      : `kernel: ${d.pick([2, 3])}, stride: ${d.pick([1, 2])}, padding: 3`;
  if (d.chance(0.5)) return `Conv(width: ${d.pick([1, 2, 4])}, ${padding}${dilation})`;
  return `DepthwiseConv(${padding}${dilation}${d.chance(0.3) ? ", multiplier: 2" : ""})`;
}

function pool(d: Dice, shape: Shape): string {
  const kernel = 1 + d.below(Math.min(3, ...shape.slice(0, -1)));
  const args = `kernel: ${kernel}, stride: ${d.pick([1, 2, 3])}, padding: ${d.below(Math.floor(kernel / 2) + 1)}`;
  return d.chance(0.5)
    ? `MaxPool(${args})`
    : `AveragePool(${args}, divisor: ${d.pick(["window", "inside"])})`;
}

function padding(d: Dice): string {
  const side = (name: string): string => `${name}: ${d.below(3)}`;
  const mode = d.pick(["zeros", "reflect", "circular", "replicate", "symmetric"]);
  return `Pad(${side("left")}, ${side("right")}, mode: ${mode})`;
}

const norms = ["l2", "token", "linf", "rms"];

/** Layers that keep the shape and treat any value. */
function plain(d: Dice, channels: number): string {
  const eps = d.pick(["1", "0.1", "0.01"]);
  return d.pick([
    () => d.pick(activations),
    () => d.pick(activations),
    () => `Linear(${channels})`,
    () => (channels >= 2 ? "CenterNorm" : "Tanh"),
    () => `LayerNorm(eps: ${eps})`,
    () => `RMSNorm(eps: ${eps})`,
    () => `UnitNorm(eps: ${eps}, guard: ${d.pick(["root", "max"])})`,
    () => "BatchNorm",
    () => `Scale(${coefficient(d, channels)})`,
    () => d.pick(["Clamp(low: -1/2, high: 1/3)", "Clamp(low: 0.1, high: 2)"]),
    () => `Project(norm: ${d.pick(norms)}, radius: ${d.pick(["1/2", "2"])})`,
    () => `Softmax(tau: ${d.pick(["1", "3", "-2", "learned(1, in: [-1, 2])"])})`,
    () => (channels % 2 === 0 ? d.pick(["MaxMin", "GroupSort(2)"]) : "Sigmoid"),
    () => (channels % 2 === 0 ? "Householder" : "Abs"),
    () => `PReLU(slope: ${coefficient(d, channels)})`,
    () => "Twice",
    () => d.pick(["Dropout(p: 0.3)", "DropPath(p: 0.3)"]),
    () => `SLL(width: ${d.pick([1, 3, 5])}, act: ${d.pick(["ReLU", "Tanh", "Sigmoid"])})`,
    () => `CPL(width: ${d.pick([1, 3, 5])}, act: ${d.pick(["ReLU", "Tanh", "Softplus"])})`,
    () =>
      `Normalize(mean: [${new Array(channels).fill("0.3")}], std: [${new Array(channels).fill("0.7").with(0, "0.4")}])`,
  ])();
}

function score(d: Dice, heads: number): string {
  const learned = (start: string, range: string): string =>
    d.chance(0.5) ? start : `learned(${start}${d.chance(0.5) ? `, shape: [${heads}]` : ""}, in: ${range})`;
  return d.pick([
    () => `cosine(tau: ${learned("2", "[-1, 3]")}, eps: ${d.pick(["1", "0.1"])})`,
    () => `cosine(tau: ${learned("5", "[0, 6]")}, eps: ${d.pick(["1", "0.3"])}, guard: max)`,
    () => (d.chance(0.5) ? "dot" : `dot(scale: ${learned("1/2", "[-1, 1]")})`),
    () => (d.chance(0.5) ? "distance" : `distance(scale: ${learned("1/2", "[0, 2]")})`),
  ])();
}

function attention(d: Dice, x: Named, others: readonly Named[]): Line["expression"] {
  const channels = x.shape.at(-1) as number;
  const heads = d.pick([1, 2, channels].filter((n) => channels % n === 0));
  const options = [`heads: ${heads}`, `score: ${score(d, heads)}`];
  if (d.chance(0.4))
    options.push(
      `values: unit(nu: ${d.pick(["1", "-2", "learned(1/2, in: [-1, 1])"])}, eps: ${d.pick(["1", "0.1"])})`,
    );
  let alone = true;
  const [h, w] = x.shape;
  if (x.shape.length === 3 && d.chance(0.7)) {
    const square = [1, 2, 3].filter((n) => h % n === 0 && w % n === 0);
    const size = d.pick(square);
    const shift = d.chance(0.4) ? d.below(size) : 0;
    const region = d.pick([
      `windows(${size}, shift: ${shift})`,
      `stripes(${d.pick([1, h])}, direction: horizontal)`,
      `grid(${size})`,
    ]);
    options.push(`over: ${region}`);
    if (d.chance(0.3) && !region.includes("shift")) options.push("local: DepthwiseConv(kernel: 3)");
    alone = false;
  }
  const rotary = x.shape.length === 2 && (channels / heads) % 2 === 0;
  const position = d.pick(["none", "none", "relative", ...(rotary ? ["rotary"] : [])]);
  if (position !== "none" && x.shape.length > 1) {
    options.push(`position: ${position}`);
    alone = false;
  }
  if (d.chance(0.3)) {
    options.push("causal: true");
    alone = false;
  }
  const name = x.name;
  const fits = others.filter((o) => o.shape.length === x.shape.length && o.shape.at(-1) === channels);
  const cross = fits.filter((o) => alone || o.shape.join() === x.shape.join());
  const other = cross.length > 0 && d.chance(0.4) ? d.pick(cross).name : name;
  const operands = d.pick([
    `${name}, ${name}, ${name}`,
    `${name}, ${other}, ${other}`,
    `(${name} |> Linear(${channels})), (${other} |> Linear(${channels})), (${other} |> Linear(${channels}))`,
    `${name}, ${name}, (${name} |> Linear(${channels}))`,
  ]);
  return `Attend(${operands}, ${options.join(", ")})`;
}

/** Steps of recurrences, with what they contract by. */
const blocks = [
  `block Cell(s: [n], u: [m], n: int, k: real = 1/2) -> [n] {
  let a = s |> Linear(n) |> Scale(k)
  let b = u |> Linear(n)
  (a + b) |> Tanh
}`,
  `block Gate(s: [n], u: [m], n: int) -> [n] {
  let g = u |> Linear(n) |> Sigmoid
  (g * (s |> Scale(1/2) |> Tanh)) + (u |> Linear(n))
}`,
  `block Twice(x: [..., d]) -> [..., d] {
  let f = shared(Linear(d) |> Tanh)
  let y = x |> f
  y |> f
}`,
  `block Settle(y: [..., d], x: [..., d], k: real = 1/3) -> [..., d] { x + (y |> Linear(d) |> Tanh |> Scale(k)) }`,
];

/** One line: the expression, its results' names are made by the caller; several where the layer gives several. */
function expressionOf(d: Dice, x: Named, pool_: readonly Named[]): { text: string; parts: number } {
  const channels = x.shape.at(-1) as number;
  const rank = x.shape.length;
  const same = pool_.filter((o) => o.shape.join() === x.shape.join());
  const one = (text: string): { text: string; parts: number } => ({ text, parts: 1 });
  const layer = (text: string): { text: string; parts: number } => one(`${x.name} |> ${text}`);
  const branch = (): string =>
    d.chance(0.3) && rank === 3
      ? `DepthwiseConv(kernel: 3) |> ${plain(d, channels)}`
      : d.chance(0.5)
        ? plain(d, channels)
        : `Linear(${d.pick([2, 4])}) |> ${d.pick(activations)} |> Linear(${channels})`;
  const choices: (() => { text: string; parts: number })[] = [
    () => layer(plain(d, channels)),
    () => layer(plain(d, channels)),
    () => layer(`Linear(${d.pick([1, 2, 3, 4, 6])})`),
    () => layer(`Residual(${branch()}, alpha: ${coefficient(d, channels)})`),
    () => layer(`Residual(${branch()}, alpha: ${mixing(d, channels)}, form: convex)`),
    () => one(`${x.name} ${d.pick(["+", "-", "*"])} ${d.pick(same).name}`),
    () => one(`${x.name} ${d.pick(["+", "-", "*"])} ${d.pick(same).name}`),
    () => one(`${x.name} * (${x.name} |> ${plain(d, channels)})`),
    () => one(`${x.name} ${d.pick(["+ 1/3", "- 2", "+ learned(1/4, in: [-1, 1])", "* -1/2"])}`),
    () =>
      one(
        `${x.name} ${d.pick(["+", "*"])} (learned(${d.pick(["trunc_normal(0.3)", "orthogonal", "spectral", "xavier"])}, shape: [${x.shape.join(", ")}], in: ${d.pick(["[-1/2, 1/4]", "[1, 2]"])}) |> ${d.pick(["Tanh", "Abs", "Scale(2)"])})`,
      ),
    () => one(`learned(trunc_normal(0.3), shape: [${x.shape.join(", ")}], in: [-1, 1]) |> Tanh`),
    () => one(`learned(xavier, shape: [${x.shape.join(", ")}]) |> Sigmoid`),
    () => {
      const other = d.pick(pool_.filter((o) => o.shape.slice(0, -1).join() === x.shape.slice(0, -1).join()));
      return one(`Concat(${x.name}, ${other.name})`);
    },
    () => layer("Flatten"),
    () =>
      layer(
        `Fixpoint(Settle(k: ${d.pick(["1/3", "0.9", "2"])}), iterations: ${d.pick([1, 3, 6])}, damping: ${d.pick(["1", "0.6"])})`,
      ),
  ];
  const parts = [2, 3].filter((n) => channels % n === 0);
  if (parts.length > 0) choices.push(() => ({ text: `${x.name} |> Split(${parts[0]})`, parts: parts[0] }));
  if (parts.length > 0) choices.push(() => ({ text: `${x.name} |> Split(${parts[0]})`, parts: parts[0] }));
  if (rank >= 2) {
    choices.push(
      () => layer(convolution(d, x.shape)),
      () => layer(convolution(d, x.shape)),
      () => layer(pool(d, x.shape)),
      () => layer("MeanPool"),
      () => layer(padding(d)),
      () => layer(`Crop(left: ${d.below(2)}, right: ${d.below(2)})`),
      () => one(attention(d, x, pool_)),
      () => one(attention(d, x, pool_)),
      () => one(attention(d, x, pool_)),
    );
  }
  if (rank === 2) {
    choices.push(
      () => layer(`Token(${d.below(x.shape[0])})`),
      () =>
        layer(
          `Scan(${d.pick([`Cell(n: ${d.pick([2, 3])}, k: ${d.pick(["1/2", "0.9", "3/2"])})`, "Gate(n: 2)"])}, emit: ${d.pick(["after", "before"])}, start: ${d.pick(["zeros", "learned"])})`,
        ),
      () => layer(`StateSpace(states: ${d.pick([1, 3])}, radius: ${d.pick(["0.5", "0.9"])})`),
      () =>
        one(
          `Concat(${x.name}, ${d.pick(pool_.filter((o) => o.shape.length === 2 && o.shape[1] === channels)).name}, axis: tokens)`,
        ),
    );
  }
  if (rank === 3) {
    const [h, w] = x.shape;
    choices.push(
      () => layer(`Shift(${d.below(h)}, ${-d.below(w)}, mode: ${d.pick(["zeros", "circular"])})`),
      () =>
        layer(
          `ChannelShift(part: ${channels < 8 ? "1/4" : d.pick(["1/4", "1/8"])}, mode: ${d.pick(["zeros", "circular"])})`,
        ),
      () => layer(`SpaceToDepth(${d.pick([1, 2])}, order: ${d.pick(["rows", "columns"])})`),
      () => layer(`DepthToSpace(2, order: ${d.pick(["rows", "columns"])})`),
      () => layer("Flatten(tokens)"),
    );
  }
  return d.pick(choices)();
}

/** A typed growing program: `shapesOf` elaborates a candidate and gives the shapes of the last line, or null. */
export function generate(d: Dice, shapesOf: (candidate: Program) => readonly Shape[] | null): Program {
  const shapes: Shape[] = [
    [4],
    [6],
    [3, 4],
    [5, 2],
    [4, 6],
    [2, 2, 4],
    [4, 4, 2],
    [3, 4, 3],
    [6, 4, 1],
    [3, 2, 8],
  ];
  const domains = [
    "[0, 1]",
    "[-1, 1]",
    "[-1/2, 3]",
    "ball(l2, 2)",
    "ball(token, 1)",
    "ball(linf, 1/3)",
    null,
  ];
  const constraint = d.pick(["none", "none", "aol", "frobenius(1)", "frobenius(3)", "unit_rows", "unit_rms"]);
  const weights = [
    `init: ${d.pick(["spectral", "spectral", "orthogonal", "trunc_normal(0.3)"])}`,
    ...(constraint === "none" ? [] : [`constraint: ${constraint}`]),
    ...(d.chance(0.5) ? ["bias: false"] : []),
  ];
  const first = { name: "x", shape: d.pick(shapes), domain: d.pick(domains) };
  const second = { name: "z", shape: d.chance(0.7) ? first.shape : d.pick(shapes), domain: d.pick(domains) };
  const ids = { name: "ids", shape: [4], domain: "tokens(5)" };
  const inputs = d.chance(0.1) ? [ids] : d.chance(0.25) ? [first, second] : [first];
  let program: Program = { blocks, weights, inputs, lines: [], result: inputs[0].name };
  const known: Named[] = inputs.map(({ name, shape }) => ({ name, shape }));
  if (inputs[0] === ids) {
    program = {
      ...program,
      lines: [{ names: ["v1"], expression: "ids |> Embedding(6)", stands: null }],
      result: "v1",
    };
    known.splice(0, 1, { name: "v0", shape: [] }, { name: "v1", shape: [4, 6] });
  }
  const length = 1 + d.below(5);
  for (let tries = 0; program.lines.length < length && tries < 30; tries++) {
    const readable = known.filter(({ shape }) => shape.length > 0);
    const x = d.chance(0.7) ? readable[readable.length - 1] : d.pick(readable);
    const { text, parts } = expressionOf(d, x, readable);
    const names = Array.from({ length: parts }, (_, i) => `v${known.length + i}`);
    const line: Line = { names, expression: text, stands: null };
    const candidate: Program = { ...program, lines: [...program.lines, line], result: names[0] };
    const found = shapesOf(candidate);
    if (!found || found.length !== parts || found[0].reduce((a, b) => a * b, 1) > 150) continue;
    const stands = found[0].join() === x.shape.join() ? x.name : null;
    program = { ...candidate, lines: [...program.lines, { ...line, stands }] };
    names.forEach((name, i) => known.push({ name, shape: found[i] }));
    // What was split is put together again, each part by a way of its own.
    if (parts > 1 && d.chance(0.7)) {
      const joined = `v${known.length}`;
      const ways = names.map((name) =>
        d.chance(0.7) ? `(${name} |> ${plain(d, found[0].at(-1) as number)})` : name,
      );
      const again: Line = {
        names: [joined],
        expression: d.chance(0.6) ? `Concat(${ways.join(", ")})` : ways.slice(0, 2).join(" * "),
        stands: null,
      };
      const whole: Program = { ...program, lines: [...program.lines, again], result: joined };
      const shape = shapesOf(whole);
      if (shape) {
        program = whole;
        known.push({ name: joined, shape: shape[0] });
      }
    }
  }
  return program;
}
