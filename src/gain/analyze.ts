/**
 * The analysis: one forward pass over the Model in one phase. Ranges are found once; gains once per source (a model
 * input, or any value a claim starts from). Every layer's rule is applied through `ruleAt`, nowhere else.
 * trust: T11
 */
import { requireSubnormals } from "./up.ts";
import type { Config, GainContext, Layer, LayerRules, Parts, Ruled } from "../layers/layer.ts";
import { layers as builtIn } from "../layers/registry.ts";
import type { Model, Node, NodeBody, Phase, ValueId } from "../model/model.ts";
import type { MatrixOracle, Range, WeightFacts, WeightOracle } from "./facts.ts";
import { Forms } from "./forms.ts";
import {
  closeValue,
  gainOf,
  identity,
  isNothing,
  nothing,
  overflowed,
  through,
  tighter,
  unproven,
  type Gain,
  type Reason,
} from "./gain.ts";
import { rangeOfDomain, unbounded } from "./range.ts";
import { partwiseMap, type PartwiseMap } from "./structure.ts";
import { constantFacts, weightFacts } from "./weights.ts";

export type LayerTable = ReadonlyMap<string, Layer>;

export interface AnalysisOptions {
  readonly layers?: LayerTable;
  readonly oracle?: WeightOracle;
  /** Norms of products and sums of weights, where the weights are at hand: the phase `checkpoint`. */
  readonly matrices?: MatrixOracle;
}

/** Gains of all values against one source; `rules` names the rule that gave each. */
export interface SourceGains {
  readonly source: ValueId;
  gain(value: ValueId): Gain;
  rule(value: ValueId): string;
}

/** Where values and their ranges are found: the model itself, or the body of a Scan or Fixpoint. */
interface Scope {
  range(value: ValueId): Range;
  producer(value: ValueId): Node | null;
}

export class Analysis implements Scope {
  readonly model: Model;
  readonly phase: Phase;
  readonly layers: LayerTable;
  private readonly oracle: WeightOracle;
  private readonly ranges: (Range | undefined)[];
  private readonly producers: (Node | undefined)[];
  private readonly places: ReadonlyMap<Node, number>;
  private readonly contexts = new Map<Node, GainContext<Config>>();
  private readonly facts = new Map<number, WeightFacts>();
  private readonly bySource = new Map<ValueId, SourceGains>();
  private readonly steps = new Map<Node, Step>();
  private readonly forms: Forms | null;
  private homes: Map<ValueId, Node> | null = null;
  /** Rules whose finite gain is of little use, with the reason. */
  readonly cautions = new Map<Node, Reason>();
  private readonly partwiseMaps = new Map<Node, PartwiseMap | null>();

  constructor(model: Model, phase: Phase, options: AnalysisOptions = {}) {
    requireSubnormals();
    this.model = model;
    this.phase = phase;
    this.layers = options.layers ?? builtIn;
    this.oracle = options.oracle ?? weightFacts;
    this.forms = options.matrices ? new Forms(model, this.layers, options.matrices) : null;
    this.ranges = new Array<Range | undefined>(model.values.length);
    this.producers = new Array<Node | undefined>(model.values.length);
    for (const node of model.nodes) for (const value of node.outputs) this.producers[value] = node;
    this.places = new Map(model.nodes.map((node, place) => [node, place]));
    for (const input of model.inputs) {
      this.ranges[input.value] = rangeOfDomain(input.domain, model.values[input.value].shape, input.name);
    }
    for (const node of model.nodes) {
      const found = this.rangesAt(node, this.context(node));
      node.outputs.forEach((value, i) => (this.ranges[value] = found[i]));
    }
  }

  range(value: ValueId): Range {
    return (
      this.ranges[value] ??
      unbounded({ text: "the range of this value is not known", path: null, because: [] })
    );
  }

  producer(value: ValueId): Node | null {
    return this.producers[value] ?? null;
  }

  /** Those of the model's own nodes, in its order; in time that grows with their number, not with the model's. */
  inOrder(nodes: Iterable<Node>): Node[] {
    const place = (node: Node): number => this.places.get(node) ?? -1;
    return [...nodes].filter((node) => place(node) >= 0).sort((a, b) => place(a) - place(b));
  }

  context(node: Node): GainContext<Config> {
    let context = this.contexts.get(node);
    if (!context) this.contexts.set(node, (context = this.makeContext(node, this)));
    return context;
  }

  /** Gains of every value against `source`; the source must be a value of the model's own graph, not of a body. */
  from(source: ValueId): SourceGains {
    let gains = this.bySource.get(source);
    if (!gains) this.bySource.set(source, (gains = this.forward(source)));
    return gains;
  }

  private forward(source: ValueId): SourceGains {
    const { values, nodes, inputs } = this.model;
    const gains = new Array<Gain | undefined>(values.length);
    const rules = new Array<string | undefined>(values.length);
    const ids = inputs.find((input) => input.value === source && input.domain.kind === "tokens");
    gains[source] = ids
      ? unproven({
          text: `\`${ids.name}\` holds token ids: there is no distance between them`,
          path: null,
          because: [],
        })
      : identity(values[source].shape);
    for (const node of nodes) {
      if (node.outputs.includes(source)) continue;
      const incoming = node.inputs.map((value) => gains[value] ?? nothing);
      if (incoming.every(isNothing)) continue;
      const at = (value: ValueId): Gain => gains[value] ?? nothing;
      const ruled = this.ruleAt(node, incoming, this.context(node), (input, count) =>
        this.forms ? this.forms.parts(node.inputs[input], count, source, at) : null,
      );
      node.outputs.forEach((value, i) => {
        gains[value] = ruled[i].gain;
        rules[value] = ruled[i].rule;
        const formed = this.forms?.gain(value, source, at);
        if (!formed) return;
        gains[value] = tighter(ruled[i].gain, formed.gain);
        if (formed.gain.entries.some((x, e) => x < ruled[i].gain.entries[e])) rules[value] = formed.rule;
      });
      const parts = this.partwise(node);
      const before = parts && !parts.inside.has(source) ? gains[parts.root] : undefined;
      if (parts && before) {
        const value = node.outputs[0];
        const relative = closeValue(through(before, parts.map), values[value].shape);
        const known = at(value);
        gains[value] = tighter(known, relative);
        if (relative.entries.some((x, i) => x < known.entries[i])) rules[value] = parts.rule;
      }
    }
    return {
      source,
      gain: (value) => gains[value] ?? nothing,
      rule: (value) => rules[value] ?? "",
    };
  }

  private partwise(node: Node): PartwiseMap | null {
    let map = this.partwiseMaps.get(node);
    if (map === undefined) this.partwiseMaps.set(node, (map = partwiseMap(this, node)));
    return map;
  }

  /** Gains of `results` against `source`, over these nodes only (in order): for rules about a part of the graph. */
  local(source: ValueId, nodes: readonly Node[]): (value: ValueId) => Gain {
    return localGains(this.model, source, nodes, (node, incoming) => this.ruleAt(node, incoming));
  }

  /** Applies the layer's rule to the gains of the node's inputs; closed, free of NaN, with a reason for every ∞. */
  ruleAt(
    node: Node,
    incoming: readonly Gain[],
    context = this.context(node),
    parts?: Parts,
  ): readonly Ruled[] {
    const rules = this.rulesOf(node);
    if ("reason" in rules) {
      const gain = unproven(rules.reason, ...incoming);
      return node.outputs.map(() => ({ gain, rule: "no proven rule" }));
    }
    const ruled = rules.gain(context, incoming, parts);
    if (ruled.length !== node.outputs.length)
      throw new Error(`${node.layer}: the rule gives ${ruled.length} gains`);
    return ruled.map(({ gain, rule, caution }, i) => {
      if (caution) this.cautions.set(node, caution);
      if (isNothing(gain)) return { gain: nothing, rule };
      const closed = closeValue(gain, this.model.values[node.outputs[i]].shape);
      if (closed.why === null) return { gain: closed, rule };
      const told = gain.why === overflowed ? null : gain.why;
      const why = told ?? incoming.find((g) => g.why !== null)?.why ?? { ...overflowed, path: node.path };
      return { gain: gainOf(closed.entries, why), rule };
    });
  }

  private rangesAt(node: Node, context: GainContext<Config>): readonly Range[] {
    const rules = this.rulesOf(node);
    if ("reason" in rules) return node.outputs.map(() => unbounded(rules.reason));
    const none = {
      text: `no range is proven for what \`${node.layer}\` gives`,
      path: node.path,
      because: [],
    };
    if (!rules.range) return node.outputs.map(() => unbounded(none));
    const found = rules.range(context);
    if (found.length !== node.outputs.length)
      throw new Error(`${node.layer}: the rule gives ${found.length} ranges`);
    return found;
  }

  private rulesOf(node: Node): LayerRules<Config> | { readonly reason: Reason } {
    const layer = this.layers.get(node.layer);
    if (!layer)
      return { reason: { text: `\`${node.layer}\` has no proven rule`, path: node.path, because: [] } };
    if (!("none" in layer.rules)) return layer.rules;
    const { none: text, fix } = layer.rules;
    return { reason: { text, path: node.path, because: [], ...(fix === undefined ? {} : { fix }) } };
  }

  private makeContext(node: Node, scope: Scope): GainContext<Config> {
    const { values, weights } = this.model;
    const factsOf = (id: number): WeightFacts => {
      let facts = this.facts.get(id);
      if (!facts) this.facts.set(id, (facts = this.oracle(weights[id], this.phase)));
      return facts;
    };
    return {
      config: node.config,
      node,
      phase: this.phase,
      shapes: node.inputs.map((value) => values[value].shape),
      outputs: node.outputs.map((value) => values[value].shape),
      ranges: node.inputs.map((value) => scope.range(value)),
      weight: (name) => {
        if (!(name in node.weights)) throw new Error(`${node.layer} has no weight ${name}`);
        return factsOf(node.weights[name]);
      },
      coefficient: (c) => (c.kind === "constant" ? constantFacts([c.value]) : factsOf(c.weight)),
      producer: (input) => scope.producer(node.inputs[input]),
      step: (ranges) => this.stepOf(node, ranges),
    };
  }

  /** The bound of a nested step: its own gain from each parameter, when the parameters have these ranges. */
  private stepOf(node: Node, ranges: readonly Range[]): { gains: readonly Gain[]; range: Range } {
    const step = this.enter(node, ranges);
    const { parameters, result } = step.body;
    return { gains: parameters.map((parameter) => step.gain(parameter, result)), range: step.range(result) };
  }

  /** The body of a node, with these ranges of its parameters. */
  private enter(node: Node, ranges: readonly Range[]): Step {
    const body = node.body;
    if (!body) throw new Error(`${node.layer} has no step`);
    const known = new Map<ValueId, Range>();
    body.parameters.forEach((value, i) => known.set(value, ranges[i]));
    const producers = new Map<ValueId, Node>();
    const scope: Scope = {
      range: (value) => known.get(value) ?? this.range(value),
      producer: (value) => producers.get(value) ?? null,
    };
    const contexts = new Map<Node, GainContext<Config>>();
    let outside: Node | null = null;
    for (const inner of body.nodes) {
      // A step that reads a value from outside depends on the source by a path that its parameters don't show.
      if (inner.inputs.some((value) => !known.has(value))) outside ??= inner;
      const context = this.makeContext(inner, scope);
      contexts.set(inner, context);
      const found = this.rangesAt(inner, context);
      inner.outputs.forEach((value, i) => {
        known.set(value, found[i]);
        producers.set(value, inner);
      });
    }
    const foreign = outside ?? (known.has(body.result) ? null : node);
    const reason = {
      text: "the step reads a value from outside of it",
      path: foreign?.path ?? null,
      because: [],
    };
    const rule = (inner: Node, incoming: readonly Gain[]) =>
      this.ruleAt(inner, incoming, contexts.get(inner));
    return {
      body,
      range: (value) => (foreign ? unbounded(reason) : scope.range(value)),
      gain: (from, to) => (foreign ? unproven(reason) : localGains(this.model, from, body.nodes, rule)(to)),
    };
  }

  /**
   * The gain from one value to another. Values of a step's body are seen by themselves: whatever its parameters are,
   * so with nothing known of their ranges. From outside to inside of a body nothing is proven.
   */
  gainFrom(from: ValueId, to: ValueId): Gain {
    const [a, b] = [this.home(from), this.home(to)];
    if (a !== b) {
      return unproven({
        text: "one value is inside a step, the other outside of it",
        path: (a ?? b)?.path ?? null,
        because: [],
      });
    }
    return a ? this.alone(a).gain(from, to) : this.from(from).gain(to);
  }

  rangeOf(value: ValueId): Range {
    const node = this.home(value);
    return node ? this.alone(node).range(value) : this.range(value);
  }

  private alone(node: Node): Step {
    let step = this.steps.get(node);
    if (!step) {
      const text = "what enters a step is not known when it is looked at by itself";
      const ranges = (node.body?.parameters ?? []).map(() =>
        unbounded({ text, path: node.path, because: [] }),
      );
      this.steps.set(node, (step = this.enter(node, ranges)));
    }
    return step;
  }

  /** The node in whose body a value lives; null for values of the model's own graph. */
  private home(value: ValueId): Node | null {
    if (!this.homes) {
      this.homes = new Map();
      const visit = (node: Node): void => {
        if (!node.body) return;
        for (const parameter of node.body.parameters) this.homes?.set(parameter, node);
        for (const inner of node.body.nodes) {
          for (const output of inner.outputs) this.homes?.set(output, node);
          visit(inner);
        }
      };
      this.model.nodes.forEach(visit);
    }
    return this.homes.get(value) ?? null;
  }
}

/** A step's body under analysis. */
interface Step {
  readonly body: NodeBody;
  range(value: ValueId): Range;
  gain(from: ValueId, to: ValueId): Gain;
}

function localGains(
  model: Model,
  source: ValueId,
  nodes: readonly Node[],
  rule: (node: Node, incoming: readonly Gain[]) => readonly Ruled[],
): (value: ValueId) => Gain {
  const gains = new Map<ValueId, Gain>([[source, identity(model.values[source].shape)]]);
  for (const node of nodes) {
    if (node.outputs.includes(source)) continue;
    const incoming = node.inputs.map((value) => gains.get(value) ?? nothing);
    if (incoming.every(isNothing)) continue;
    rule(node, incoming).forEach((ruled, i) => gains.set(node.outputs[i], ruled.gain));
  }
  return (value) => gains.get(value) ?? nothing;
}
