/** Applies rules to nodes: closes what they give, enters bodies, follows a part of a graph. */
import type { Arith } from "./arith.ts";
import { constantFacts, type Facts } from "./facts.ts";
import { closeValue, conversion, unproven, zeros, type Gain, type Shape } from "./gains.ts";
import { unbounded, type Range } from "./ranges.ts";
import type { Context, Node, Parts } from "./rule.ts";
import { ruleOf } from "./table.ts";

export type Ranges<T> = (value: number) => Range<T>;
export type Gains<T> = (value: number) => Gain<T>;

export class Scene<T> {
  readonly a: Arith<T>;
  private readonly shapes: readonly Shape[];
  readonly factsOf: (weight: number) => Facts<T>;

  constructor(a: Arith<T>, shapes: readonly Shape[], facts: (weight: number) => Facts<T>) {
    this.a = a;
    this.shapes = shapes;
    this.factsOf = facts;
  }

  private context(node: Node, range: Ranges<T>): Context<T> {
    return {
      a: this.a,
      config: node.config,
      node,
      shapes: node.inputs.map((value) => this.shapes[value]),
      outputs: node.outputs.map((value) => this.shapes[value]),
      ranges: node.inputs.map(range),
      weight: (name) => this.factsOf(node.weights[name]),
      coefficient: (c) => (c.kind === "constant" ? constantFacts(this.a, [c.value]) : this.factsOf(c.weight)),
      step: (ranges) => this.enter(node, ranges).step,
    };
  }

  /** Gains of a node's outputs against a source, from those of its inputs. */
  gains(node: Node, incoming: readonly Gain<T>[], range: Ranges<T>, parts?: Parts<T>): readonly Gain<T>[] {
    const rule = ruleOf(node.layer);
    if (!rule) return node.outputs.map(() => unproven(this.a));
    const found = rule.gain(this.context(node, range), incoming, parts);
    return found.map((gain, i) => closeValue(this.a, gain, this.shapes[node.outputs[i]]));
  }

  ranges(node: Node, range: Ranges<T>): readonly Range<T>[] {
    const rule = ruleOf(node.layer);
    const shapes = node.outputs.map((value) => this.shapes[value]);
    return rule?.range?.(this.context(node, range)) ?? shapes.map((shape) => unbounded(this.a, shape));
  }

  /** Gains against `source` by these nodes alone, in order; what doesn't depend on it has gain 0. */
  local(source: number, nodes: readonly Node[], range: Ranges<T>): Gains<T> {
    const known = new Map<number, Gain<T>>([[source, conversion(this.a, this.shapes[source])]]);
    const nothing = zeros(this.a);
    const at = (value: number): Gain<T> => known.get(value) ?? nothing;
    for (const node of nodes) {
      if (node.outputs.includes(source) || !node.inputs.some((value) => known.has(value))) continue;
      this.gains(node, node.inputs.map(at), range).forEach((gain, i) => known.set(node.outputs[i], gain));
    }
    return at;
  }

  /**
   * The body of a node when its parameters have these ranges: gains between its values, ranges of them, and the step as
   * its node's rule sees it. A body that reads a value from outside of it has no proof.
   */
  enter(
    node: Node,
    parameters: readonly Range<T>[],
  ): { gain(from: number, to: number): Gain<T>; range: Ranges<T>; step: ReturnType<Context<T>["step"]> } {
    const { body } = node;
    if (!body) throw new Error(`${node.layer} has no body`);
    const known = new Map(body.parameters.map((value, i) => [value, parameters[i]]));
    const range: Ranges<T> = (value) => known.get(value) ?? unbounded(this.a, this.shapes[value]);
    let closed = true;
    for (const inner of body.nodes) {
      closed &&= inner.inputs.every((value) => known.has(value));
      this.ranges(inner, range).forEach((r, i) => known.set(inner.outputs[i], r));
    }
    closed &&= known.has(body.result);
    const gain = (from: number, to: number): Gain<T> =>
      closed ? this.local(from, body.nodes, range)(to) : unproven(this.a);
    const result = closed ? range(body.result) : unbounded(this.a, this.shapes[body.result]);
    const gains = closed
      ? body.parameters.map((parameter) => gain(parameter, body.result))
      : body.parameters.map(() => unproven(this.a));
    return { gain, range, step: { gains, range: result } };
  }
}
