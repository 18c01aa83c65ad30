/** Attention in all its options, as text. */
import type { Line } from "../program.ts";
import type { Dice } from "../dice.ts";
import { linear } from "./layers.ts";
import type { Named } from "./generate.ts";

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

export function attention(d: Dice, x: Named, others: readonly Named[]): Line["expression"] {
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
      `stripes(${d.pick([1, w])}, direction: vertical)`,
      `grid(${size})`,
    ]);
    options.push(`over: ${region}`);
    if (d.chance(0.3) && !region.includes("shift"))
      options.push(`local: DepthwiseConv(kernel: ${d.pick([1, 3, 5])})`);
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
  // Tokens that are learned: a memory of keys and values, or queries that are the same for every input.
  const memory = `learned(${d.pick(["trunc_normal(0.5)", "orthogonal"])}, shape: [${x.shape.join(", ")}], in: [-1, 1])`;
  const width = heads * d.pick([1, 3]);
  const operands = d.pick([
    `${name}, ${name}, ${name}`,
    `${name}, ${other}, ${other}`,
    `(${name} |> ${linear(d, channels)}), (${other} |> ${linear(d, channels)}), (${other} |> ${linear(d, channels)})`,
    `${name}, ${name}, (${name} |> ${linear(d, channels)})`,
    `${name}, ${other}, (${other} |> ${linear(d, width)})`,
    `${name}, (${memory} |> Tanh), (${memory} |> Tanh)`,
    `(${memory} |> Tanh), ${name}, ${name}`,
    `${name}, (${memory} |> Tanh), ${name}`,
  ]);
  return `Attend(${operands}, ${options.join(", ")})`;
}
