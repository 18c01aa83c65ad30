/** One line of a program. */
import type { Dice } from "../dice.ts";
import { attention } from "./attention.ts";
import { activations, coefficient, convolution, linear, mixing, padding, plain, pool } from "./layers.ts";
import type { Named } from "./generate.ts";

/** One line: the expression, its results' names are made by the caller; several where the layer gives several. */
export function expressionOf(d: Dice, x: Named, pool_: readonly Named[]): { text: string; parts: number } {
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
        : `${linear(d, d.pick([2, 4]))} |> ${d.pick(activations)} |> ${linear(d, channels)}`;
  const choices: (() => { text: string; parts: number })[] = [
    () => layer(plain(d, channels)),
    () => layer(plain(d, channels)),
    () => layer(linear(d, d.pick([1, 2, 3, 4, 6]))),
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
          `Scan(${d.pick([`Cell(n: ${d.pick([2, 3])}, k: ${d.pick(["1/2", "0.9", "3/2"])})`, "Gate(n: 2)", "Deep(n: 2)"])}, emit: ${d.pick(["after", "before"])}, start: ${d.pick(["zeros", "learned"])})`,
        ),
      () =>
        layer(
          `Fixpoint(${d.pick(["Mix", "Rows"])}, iterations: ${d.pick([1, 4])}, damping: ${d.pick(["1", "0.6"])})`,
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
