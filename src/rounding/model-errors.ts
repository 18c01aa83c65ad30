/**
 * Errors of a whole model: running error analysis of its primitive graph, cut at the values of the Model, where the gain
 * rules of layers take over (docs/gains.md, "Through layers").
 *
 * The graph is the one before simplification. What engines run of it has fewer roundings: simplification joins factors,
 * drops operations with 0 and 1, and folds constants, each of which is a rounding less on the same path.
 */
import { requireSubnormals } from "../gain/up.ts";
import { Builder, type Tensor } from "../graph/builder.ts";
import type { DType, GraphNode, Op, OpAttributes } from "../graph/graph.ts";
import { buildInferenceGraph, lowerValues } from "../graph/inference.ts";
import { holdsSumsOf } from "../graph/passes/parts.ts";
import { Analysis } from "../gain/analyze.ts";
import type { WeightOracle } from "../gain/facts.ts";
import { gainOf, isNothing, nothing, type Gain } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import type { Model, Node, ValueId } from "../model/model.ts";
import { float32, float64 } from "./arithmetic.ts";
import { closed, isZero, plus, tighter, zero, type Deviation } from "./deviation.ts";
import { constantValue, step, storedValue, type Track } from "./running.ts";
import type { Value } from "./value.ts";

/**
 * motion    f at a point x′ of the ball from f at the sample x, in real arithmetic
 * exact     the centre, float64 at x, from f(x)
 * engine    an engine at x′ from f(x′)
 * own64     the centre from the exact one of this layer alone, its inputs as float64 has them
 * own32     an engine's from the exact one of this layer alone, its inputs as the engine has them
 */
const tracks: readonly Track[] = [null, float64, float32, float64, float32];
const [motion, exact, engine, own64, own32] = [0, 1, 2, 3, 4];

/**
 * Shares no node between layers. Elsewhere equal nodes are made once; here a value that also stands inside of another layer
 * would hide that layer's own rounding.
 */
class SeparateBuilder extends Builder {
  private last = "";

  override op<O extends Op>(
    op: O,
    inputs: readonly Tensor[],
    attributes: OpAttributes[O],
    dtype?: DType,
  ): Tensor {
    if (this.origin !== this.last) this.known.clear();
    this.last = this.origin;
    return super.op(op, inputs, attributes, dtype);
  }
}

export interface SampleErrors {
  /** The output in float64. */
  readonly centre: Float64Array;
  readonly exact: Deviation;
  readonly engine: Deviation;
}

export class ModelErrors {
  private readonly nodes: readonly GraphNode[];
  private readonly order: readonly number[] = [];
  private readonly constants = new Map<number, Value>();
  private readonly places = new Map<ValueId, number>();
  private readonly cuts = new Map<number, { readonly node: Node; readonly output: number }>();
  private readonly analysis: Analysis;
  private readonly input: number;
  private readonly output: number;

  private constructor(
    model: Model,
    analysis: Analysis,
    nodes: readonly GraphNode[],
    places: ReadonlyMap<ValueId, number>,
    params: ReadonlyMap<string, Value>,
  ) {
    [this.analysis, this.nodes] = [analysis, nodes];
    for (const [value, id] of places) this.places.set(value, id);
    this.input = this.placeOf(model.inputs[0].value);
    this.output = this.placeOf(model.outputs[0].value);
    for (const node of model.nodes)
      node.outputs.forEach((value, output) => {
        const id = this.places.get(value);
        // A value that is its layer's input, or another layer's result, was met already.
        if (id !== undefined && id !== this.input && !this.cuts.has(id)) this.cuts.set(id, { node, output });
      });
    this.order = this.prepare(params);
  }

  /** null where the model can't be lowered, has several inputs, or lacks weights. */
  static of(
    model: Model,
    tensors: ReadonlyMap<string, ArrayLike<number>>,
    oracle: WeightOracle,
  ): ModelErrors | null {
    requireSubnormals();
    if (model.inputs.length !== 1 || model.inputs[0].domain.kind === "tokens") return null;
    const lowered = lowerValues(model, () => new SeparateBuilder());
    const run = buildInferenceGraph(model, { batch: 1 });
    // The same pass made both. If one of them were changed, nothing would be proven.
    if (!lowered.ok || !run.ok || !holdsSumsOf(lowered.value, run.value)) return null;
    const params = new Map<string, Value>();
    for (const { path, shape } of model.weights) {
      const entries = tensors.get(path);
      if (!entries || entries.length !== shape.reduce((a, b) => a * b, 1)) return null;
      params.set(`param/${path}`, storedValue(shape, Float64Array.from(entries), tracks, true));
    }
    const places = new Map(lowered.value.outputs.map(({ name, node }) => [Number(name), node]));
    return new ModelErrors(
      model,
      new Analysis(model, "checkpoint", { oracle }),
      lowered.value.nodes,
      places,
      params,
    );
  }

  private placeOf(value: ValueId): number {
    const id = this.places.get(value);
    if (id === undefined) throw new Error(`value ${value} was not computed`);
    return id;
  }

  /** Computes what no sample changes; gives the rest of what the output needs, in order. */
  private prepare(params: ReadonlyMap<string, Value>): number[] {
    const live = new Uint8Array(this.nodes.length);
    live[this.output] = 1;
    for (let id = this.output; id >= 0; id--)
      if (live[id] === 1) for (const input of this.nodes[id].inputs) live[input] = 1;
    const order: number[] = [];
    this.nodes.forEach((node, id) => {
      if (live[id] === 0 || id === this.input) return;
      if (node.op === "input") {
        const value = params.get((node as GraphNode<"input">).attributes.name);
        if (!value) throw new Error("a weight is not given");
        this.constants.set(id, value);
      } else if (node.op === "constant") {
        this.constants.set(id, constantValue(node as GraphNode<"constant">, tracks));
      } else {
        const inputs = node.inputs.map((i) => this.constants.get(i));
        if (inputs.every((v): v is Value => v !== undefined))
          this.constants.set(id, step(node, inputs, tracks));
        else order.push(id);
      }
    });
    return order;
  }

  /** The output's errors at one sample, and anywhere in the l2 ball round it. */
  at(sample: Float64Array, radius: number): SampleErrors {
    const shape = this.nodes[this.input].shape;
    const x = storedValue(shape, sample, tracks, false);
    x.tracks = x.tracks.map((d, t) => (t === motion ? closed({ l2: radius }, shape) : d));
    const values = new Map<number, Value>([[this.input, x]]);
    const valueAt = (id: number): Value | undefined => values.get(id) ?? this.constants.get(id);
    for (const id of this.order) {
      const node = this.nodes[id];
      const value = step(
        node,
        node.inputs.map((i) => valueAt(i) as Value),
        tracks,
      );
      const cut = this.cuts.get(id);
      if (cut) this.takeOver(value, cut, valueAt);
      values.set(id, value);
    }
    const { centre, tracks: found } = valueAt(this.output) as Value;
    return { centre, exact: found[exact], engine: found[engine] };
  }

  /** At a value of the Model: the layer's own gain, and what it rounds itself, where that is the smaller bound. */
  private takeOver(
    value: Value,
    { node, output }: { readonly node: Node; readonly output: number },
    valueAt: (id: number) => Value | undefined,
  ): void {
    const inputs: Value[] = [];
    for (const id of node.inputs) {
      const place = this.places.get(id);
      const input = place === undefined ? undefined : valueAt(place);
      if (!input) return;
      inputs.push(input);
    }
    const context = this.analysis.context(node);
    const ranges = inputs.map(({ reach, least, most }, i) =>
      closeRange(
        { l2: reach.l2, token: reach.row, linf: reach.linf, low: least, high: most },
        context.shapes[i],
      ),
    );
    const by = (track: number): Deviation => {
      const gains = inputs.map((input) => asGain(input.tracks[track]));
      if (gains.every(isNothing)) return zero;
      const { gain } = this.analysis.ruleAt(node, gains, { ...context, ranges })[output];
      return { l2: gain.entries[0], row: gain.entries[1], linf: gain.entries[2] };
    };
    const all = value.tracks;
    value.tracks = [
      tighter(by(motion), all[motion]),
      tighter(plus(by(exact), all[own64]), all[exact]),
      tighter(plus(by(engine), all[own32]), all[engine]),
      zero,
      zero,
    ];
  }
}

/** A difference as a gain: its norms, from a source of size 1 in any norm. */
function asGain(d: Deviation): Gain {
  if (isZero(d)) return nothing;
  const row = [d.l2, d.row, d.linf];
  return gainOf([...row, ...row, ...row]);
}
