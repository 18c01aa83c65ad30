/** The bound of a model in one phase as expressions: the forward pass of docs/gains.md, section 1, with symbols. */
import { Refusal } from "../certificate/verify/refusal.ts";
import { checkGraph, type CheckedGraph } from "../certificate/verify/graph.ts";
import {
  closeValue,
  conversion,
  norms,
  sequence,
  tighter,
  zeros,
  type Gain,
} from "../certificate/verify/rules/gains.ts";
import { rangeOfDomain, unbounded, type Range } from "../certificate/verify/rules/ranges.ts";
import type { Node } from "../certificate/verify/rules/rule.ts";
import { Scene } from "../certificate/verify/rules/scene.ts";
import { jointOf, type Joint } from "../certificate/verify/rules/structure.ts";
import { modelDocument } from "../certificate/write.ts";
import type { WeightFacts } from "../gain/facts.ts";
import { weightFacts } from "../gain/weights.ts";
import type { Model, Phase, ValueId, Weight } from "../model/model.ts";
import { Expressions, type Condition, type Expression, type Symbol } from "./expression.ts";
import { Symbols } from "./symbols.ts";

export interface SymbolicBound {
  /** Entries of every value's gain from the source, in the order of gain/. */
  gain(value: ValueId): readonly Expression[];
  /** Under which the rules were used. */
  readonly conditions: readonly Condition[];
  /** All symbols of the model, whether this bound reads them or not. */
  readonly symbols: readonly Symbol[];
}

/** Why there is no formula. */
export interface NoFormula {
  readonly none: string;
}

/**
 * From one value of the model's own graph to all others. At a checkpoint `facts` are those of the stored weights, and the bound
 * is that of layer after layer: neighbouring affine maps aren't multiplied.
 */
export function symbolicBound(
  model: Model,
  phase: Phase,
  source: ValueId,
  facts: (weight: Weight) => WeightFacts = (weight) => weightFacts(weight, phase),
): SymbolicBound | NoFormula {
  const document = modelDocument(model);
  let graph: CheckedGraph;
  try {
    graph = checkGraph(document);
  } catch (error) {
    if (error instanceof Refusal) return { none: error.message };
    throw error;
  }
  const a = new Expressions();
  const symbols = new Symbols(a, model.weights, facts);
  const nodes = document.nodes.map((node) => symbols.nodeOf(node));
  const scene = new Scene(a, document.values, symbols.factsOf);
  const ranges = rangesOf(scene, document, nodes);
  const range = (value: ValueId): Range<Expression> => ranges[value];
  const gains = gainsOf(a, scene, withNodes(graph, nodes), document.values, source, range);
  return { gain: (value) => gains.get(value) ?? zeros(a), conditions: a.conditions, symbols: a.symbols };
}

function rangesOf(
  scene: Scene<Expression>,
  { values, inputs }: ReturnType<typeof modelDocument>,
  nodes: readonly Node[],
): Range<Expression>[] {
  const ranges = values.map((shape) => unbounded(scene.a, shape));
  for (const { value, domain } of inputs) ranges[value] = rangeOfDomain(scene.a, domain, values[value]);
  for (const node of nodes)
    scene.ranges(node, (value) => ranges[value]).forEach((range, i) => (ranges[node.outputs[i]] = range));
  return ranges;
}

/** The same graph, of the nodes with symbols. */
function withNodes(graph: CheckedGraph, nodes: readonly Node[]): CheckedGraph {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((value) => [value, node] as const)));
  return {
    own: graph.own,
    home: (value) => graph.home(value),
    nodes,
    shape: (value) => graph.shape(value),
    producer: (value) => producers.get(value) ?? null,
  };
}

function gainsOf(
  a: Expressions,
  scene: Scene<Expression>,
  graph: CheckedGraph,
  shapes: readonly (readonly number[])[],
  source: ValueId,
  range: (value: ValueId) => Range<Expression>,
): Map<ValueId, Gain<Expression>> {
  const nothing = zeros(a);
  const known = new Map<ValueId, Gain<Expression>>([[source, start(a, shapes[source])]]);
  const at = (value: ValueId): Gain<Expression> => known.get(value) ?? nothing;
  const joints = new Map<Node, Joint<Expression> | null>();
  for (const node of graph.nodes) {
    if (node.outputs.includes(source) || !node.inputs.some((value) => known.has(value))) continue;
    const derived = scene.gains(node, node.inputs.map(at), range);
    const shared = joints.get(node) ?? jointOf(scene, graph, node, range);
    joints.set(node, shared);
    const usable = shared && !shared.inside.has(source) && known.has(shared.root) ? shared : null;
    node.outputs.forEach((value, i) => {
      const relative = usable && closeValue(a, sequence(a, at(usable.root), usable.map), shapes[value]);
      known.set(value, relative ? tighter(a, derived[i], relative) : derived[i]);
    });
  }
  return known;
}

/** The gain of the source to itself: symbols from which products grow, worth what the norms' conversions are. */
function start(a: Expressions, shape: readonly number[]): Gain<Expression> {
  return conversion(a, shape).map((entry, i) =>
    a.symbol({
      letter: "L",
      path: `${norms[Math.floor(i / 3)]}->${norms[i % 3]}`,
      value: entry.value,
      source: true,
    }),
  );
}
