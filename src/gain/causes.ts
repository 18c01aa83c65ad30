/**
 * Where a bound comes from: a spine of layers from the source to the value whose factors multiply to the bound, and what
 * dominates inside the branches that leave it.
 */
import type { Node, Norm, ValueId } from "../model/model.ts";
import type { Analysis, SourceGains } from "./analyze.ts";
import { conversion, entry, isNothing, norms, nothing } from "./gain.ts";

/** One layer's share of a bound. */
export interface Cause {
  readonly node: Node | null;
  /** The node's path; the source's name where the norm changes there. */
  readonly path: string;
  readonly rule: string;
  /** The bound after the layer, over the bound before it. */
  readonly factor: number;
  /** What dominates inside the branches that are added here, largest first. */
  readonly inside: readonly Cause[];
  /** The layers of these branches, all of them. */
  readonly branch: readonly Node[];
}

export interface Spine {
  /** From the source on; the product of the factors is the bound (where it is finite). */
  readonly causes: readonly Cause[];
  readonly bound: number;
}

/** Larger branches are told by their largest causes only. */
const told = 3;

export function spineOf(analysis: Analysis, from: ValueId, to: ValueId, normIn: Norm, normOut: Norm): Spine {
  const gains = analysis.from(from);
  const bound = entry(gains.gain(to), normIn, normOut);
  if (isNothing(gains.gain(to))) return { causes: [], bound };
  const main = walk(analysis, gains, to, (value) => value === from, normIn, normOut, true);
  const passed = new Set<ValueId>([from, ...main.map((step) => step.input), to]);
  const causes = main.map((step) => {
    const inside = step.others.flatMap((other) =>
      walk(analysis, gains, other, (value) => passed.has(value), normIn, normOut, false).map((s) =>
        causeOf(s, []),
      ),
    );
    const largest = inside.filter((c) => !(c.factor <= 1)).sort(byFactor);
    const branch = step.others.flatMap((other) => branchTo(analysis, gains, other, passed));
    return { ...causeOf(step, largest.slice(0, told)), branch: [...new Set(branch)] };
  });
  const start = conversion(analysis.model.values[from].shape)[
    3 * norms.indexOf(normIn) + norms.indexOf(normOut)
  ];
  if (start !== 1) {
    const path = analysis.model.taps.find((tap) => tap.value === from)?.name ?? "";
    causes.push({ node: null, path, rule: `${normIn} to ${normOut}`, factor: start, inside: [], branch: [] });
  }
  return { causes: causes.reverse(), bound };
}

/** Largest first; ∞ before all. */
export function byFactor(a: Cause, b: Cause): number {
  return a.factor === b.factor ? 0 : a.factor > b.factor ? -1 : 1;
}

interface Step {
  readonly node: Node;
  readonly rule: string;
  readonly factor: number;
  readonly input: ValueId;
  /** Inputs that carry the source, too, but less. */
  readonly others: readonly ValueId[];
}

function causeOf(step: Step, inside: readonly Cause[]): Cause {
  return { node: step.node, path: step.node.path, rule: step.rule, factor: step.factor, inside, branch: [] };
}

/** The layers between the spine and a value beside it that carry the source. */
function branchTo(
  analysis: Analysis,
  gains: SourceGains,
  value: ValueId,
  passed: ReadonlySet<ValueId>,
): Node[] {
  const nodes: Node[] = [];
  const seen = new Set(passed);
  const waiting = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const node = analysis.producer(next);
    if (!node || isNothing(gains.gain(next))) continue;
    nodes.push(node);
    waiting.push(...node.inputs);
  }
  return nodes;
}

/**
 * Backwards from a value to where `stop` says, each time by the input that matters most: the one without which the bound
 * falls most (`exact`, which applies the rule again), or the one with the largest gain.
 */
function walk(
  analysis: Analysis,
  gains: SourceGains,
  to: ValueId,
  stop: (value: ValueId) => boolean,
  normIn: Norm,
  normOut: Norm,
  exact: boolean,
): Step[] {
  const steps: Step[] = [];
  let value = to;
  while (!stop(value)) {
    const node = analysis.producer(value);
    if (!node) break;
    const inputs = [...new Set(node.inputs)].filter((input) => !isNothing(gains.gain(input)));
    if (inputs.length === 0) break;
    const largest = (): ValueId => {
      const gainOf = (id: ValueId): number => entry(gains.gain(id), normIn, normOut);
      return inputs.reduce((a, b) => (gainOf(b) > gainOf(a) ? b : a));
    };
    const choose = (): ValueId =>
      exact ? mainInput(analysis, gains, node, value, inputs, normIn, normOut) : largest();
    const input = inputs.length === 1 ? inputs[0] : (skipOf(analysis, inputs) ?? choose());
    const after = entry(gains.gain(value), normIn, normOut);
    const before = entry(gains.gain(input), normIn, normOut);
    const factor = after === Infinity ? (before === Infinity ? 1 : Infinity) : after / before;
    steps.push({
      node,
      rule: gains.rule(value),
      factor,
      input,
      others: inputs.filter((other) => other !== input),
    });
    value = input;
  }
  return steps;
}

/** The input that all the others are computed from: a skip connection, whose branches are told as such. */
function skipOf(analysis: Analysis, inputs: readonly ValueId[]): ValueId | null {
  return (
    inputs.find((input) => inputs.every((other) => other === input || descends(analysis, other, input))) ??
    null
  );
}

/** Whether a value is computed from an earlier one. Values are numbered as they are made, so older ones are passed over. */
function descends(analysis: Analysis, value: ValueId, from: ValueId): boolean {
  const seen = new Set<ValueId>();
  const waiting = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const before of analysis.producer(next)?.inputs ?? []) {
      if (before === from) return true;
      if (before < from || seen.has(before)) continue;
      seen.add(before);
      waiting.push(before);
    }
  }
  return false;
}

/** The input without which the layer's bound would fall most. */
function mainInput(
  analysis: Analysis,
  gains: SourceGains,
  node: Node,
  value: ValueId,
  inputs: readonly ValueId[],
  normIn: Norm,
  normOut: Norm,
): ValueId {
  const unproven = inputs.find((input) => gains.gain(input).why !== null);
  if (unproven !== undefined) return unproven;
  const output = node.outputs.indexOf(value);
  let [best, least] = [inputs[0], Infinity];
  for (const input of inputs) {
    const incoming = node.inputs.map((other) => (other === input ? nothing : gains.gain(other)));
    const rest = incoming.every(isNothing) ? nothing : analysis.ruleAt(node, incoming)[output].gain;
    const without = entry(rest, normIn, normOut);
    if (without < least) [best, least] = [input, without];
  }
  return best;
}
