/** What a claim says, as a bound: docs/gains.md, section 13. */
import { root } from "./arith.ts";
import { at, channelsOf, tokensOf, unproven, type Gain, type Norm } from "./gains.ts";
import { unbounded, type Range } from "./ranges.ts";
import type { Node } from "./rule.ts";
import type { Scene } from "./scene.ts";
import type { Graph } from "./structure.ts";

export interface Claim {
  readonly kind: "gain" | "margin" | "radius";
  readonly from: number;
  readonly to: number;
  readonly normIn: Norm | "rms";
  readonly normOut: Norm | "rms";
}

export interface Derived<T> {
  range(value: number): Range<T>;
  /** Gains against each source that there is a derivation of. */
  readonly gains: ReadonlyMap<number, (value: number) => Gain<T>>;
}

type Home = (value: number) => Node | null;

/** The bound that is proven of what the claim is about. */
export function claimed<T>(
  scene: Scene<T>,
  graph: Graph & { home: Home },
  claim: Claim,
  derived: Derived<T>,
): T {
  const { a } = scene;
  const { kind, from, to, normIn, normOut } = claim;
  const [p, q] = [plain(normIn), plain(normOut)];
  const channels = (value: number, norm: Norm | "rms"): number =>
    norm === "rms" ? channelsOf(graph.shape(value)) : 1;
  if (kind === "radius") {
    const home = graph.home(to);
    const range = home ? alone(scene, graph, home).range(to) : derived.range(to);
    return a.div(range[q], root(a, channels(to, normOut)));
  }
  const gain = (value: number): Gain<T> => {
    const [home, other] = [graph.home(from), graph.home(value)];
    if (home !== other) return unproven(a);
    if (home) return alone(scene, graph, home).gain(from, value);
    return derived.gains.get(from)?.(value) ?? unproven(a);
  };
  // rms is the token norm in units of √channels.
  const unit = (out: number): T => a.sqrt(a.div(a.num(channels(from, normIn)), a.num(out)));
  if (kind === "gain") return a.mul(gain(to)[at(p, q)], unit(channels(to, normOut)));
  if (tokensOf(graph.shape(to)) !== 1) return a.num(Infinity);
  const difference = a.min(
    a.mul(root(a, 2), gain(to)[at(p, "l2")]),
    a.mul(a.num(2), gain(to)[at(p, "linf")]),
  );
  return a.mul(a.min(difference, byRows(scene, graph, claim, p, gain)), unit(1));
}

/** ‖w_i − w_j‖₂ times the gain of what a Linear reads, where a Linear gives the outputs. */
function byRows<T>(
  scene: Scene<T>,
  graph: Graph,
  { from, to }: Claim,
  p: Norm,
  gain: (value: number) => Gain<T>,
): T {
  const { a } = scene;
  const head = graph.producer(to);
  if (head?.layer !== "Linear" || from === to || tokensOf(graph.shape(head.inputs[0])) !== 1)
    return a.num(Infinity);
  const weight = scene.factsOf(head.weights.weight);
  const distance = weight.rowDistance ?? a.mul(a.num(2), weight.rowNorm);
  return a.mul(distance, gain(head.inputs[0])[at(p, "l2")]);
}

/** A body by itself: nothing is known of what enters it. */
function alone<T>(scene: Scene<T>, graph: Graph, node: Node): ReturnType<Scene<T>["enter"]> {
  const parameters = node.body?.parameters ?? [];
  return scene.enter(
    node,
    parameters.map((value) => unbounded(scene.a, graph.shape(value))),
  );
}

const plain = (norm: Norm | "rms"): Norm => (norm === "rms" ? "token" : norm);
