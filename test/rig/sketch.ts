/**
 * Small models by hand, for tests of single layers and of short chains: values, nodes with their configs, weights with
 * their entries. The same model goes through the analysis (planted.ts) and through the graph (search.ts).
 */
import type { Domain, Model, Node, NodeBody, Shape, ValueId, Weight } from "../../src/model/model.ts";
import type { WeightFacts } from "../../src/gain/facts.ts";
import { factsOfEntries } from "./matrix.ts";

export const nowhere = { file: "sketch.lips", start: 0, end: 0 };

export interface SketchWeight {
  readonly shape: Shape;
  readonly role?: Weight["role"];
  /** Entries, row-major. Facts follow from them, computed in float64. */
  readonly data?: readonly number[] | Float64Array;
  /** In place of (or on top of) what follows from the entries. */
  readonly facts?: Partial<WeightFacts>;
}

export interface SketchNode {
  readonly layer: string;
  readonly inputs: readonly ValueId[];
  readonly config?: Node["config"];
  /** Shapes of the outputs; the first input's shape unless told. */
  readonly outputs?: readonly Shape[];
  readonly weights?: { readonly [name: string]: SketchWeight };
  readonly body?: NodeBody;
}

/** Builds a Model node by node. */
export class Sketch {
  private readonly values: { shape: Shape }[] = [];
  private readonly inputs: { value: ValueId; domain: Domain }[] = [];
  private readonly nodes: Node[] = [];
  readonly weights: SketchWeight[] = [];

  value(shape: Shape): ValueId {
    return this.values.push({ shape }) - 1;
  }

  input(shape: Shape, domain: Domain = { kind: "unbounded" }): ValueId {
    const value = this.value(shape);
    this.inputs.push({ value, domain });
    return value;
  }

  /** A weight by itself, for coefficients: `{ kind: "learned", weight: sketch.weight(…) }`. */
  weight(weight: SketchWeight): number {
    return this.weights.push(weight) - 1;
  }

  /** Adds a node and gives its outputs. */
  node(node: SketchNode): ValueId[] {
    const made = this.loose(node);
    this.nodes.push(made);
    return [...made.outputs];
  }

  /** A node that is not part of the model's own list: for bodies of Scan and Fixpoint. */
  loose(node: SketchNode): Node {
    const outputs = (node.outputs ?? [this.values[node.inputs[0]].shape]).map((shape) => this.value(shape));
    const weights = Object.fromEntries(
      Object.entries(node.weights ?? {}).map(([name, w]) => [name, this.weight(w)]),
    );
    return {
      layer: node.layer,
      path: `${node.layer.toLowerCase()}_${this.nodes.length}`,
      inputs: node.inputs,
      outputs,
      config: node.config ?? {},
      weights,
      span: nowhere,
      calls: [],
      body: node.body ?? null,
    };
  }

  /** The shape of a value. */
  shape(value: ValueId): Shape {
    return this.values[value].shape;
  }

  model(): Model {
    return {
      lips: 1,
      name: "Sketch",
      file: nowhere.file,
      inputs: this.inputs.map(({ value, domain }, i) => ({ name: `x${i}`, value, domain, span: nowhere })),
      outputs: [],
      values: this.values.map(({ shape }) => ({ shape, axes: shape.map(() => null), span: nowhere })),
      nodes: this.nodes,
      weights: this.weights.map((w, i) => ({
        path: `w${i}`,
        shape: w.shape,
        role: w.role ?? (w.shape.length === 0 ? "scalar" : w.shape.length === 1 ? "vector" : "matrix"),
        init: { kind: "zeros" },
        constraint: { kind: "none" },
        range: null,
        span: nowhere,
      })),
      instances: [],
      taps: [],
      claims: [],
      train: null,
      span: nowhere,
    };
  }

  /** Facts of the weights, from their entries and from what the test says. */
  readonly oracle = (weight: Weight): WeightFacts => {
    const index = Number(weight.path.slice(1));
    const { shape, data, facts } = this.weights[index];
    return { ...factsOfEntries(shape, data), ...facts };
  };
}
