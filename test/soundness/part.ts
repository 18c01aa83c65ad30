/** Models evaluated in float64 with the weights that the network uses, whole or from one of their values on. */
import { Builder } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Model, Node, Shape, ValueId } from "../../src/model/model.ts";
import { lower } from "../rig/search.ts";
import { nowhere, Sketch } from "../rig/sketch.ts";
import type { Tensors } from "./tensors.ts";

/** The layers of a model that can't be computed, with the reason. */
export function notExecutable(model: Model): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (nodes: readonly Node[]): void => {
    for (const { layer: name, config, body } of nodes) {
      const layer = layers.get(name);
      const reason = !layer ? "unknown" : "none" in layer.lower ? layer.lower.none : layer.refuses?.(config);
      if (reason !== undefined) found.set(name, reason);
      if (body) visit(body.nodes);
    }
  };
  visit(model.nodes);
  return found;
}

/** All values of the model's own graph on a batch of samples; `tensors` are what the network uses. */
export function valuesOn(
  model: Model,
  tensors: Tensors,
  samples: ReadonlyMap<ValueId, readonly Float64Array[]>,
): Map<ValueId, Float64Array[]> {
  const batch = [...samples.values()][0].length;
  const builder = new Builder();
  const feeds: Record<string, ReturnType<typeof array64>> = {};
  const known = new Map(
    model.inputs.map(({ value, domain }) => {
      const shape = [batch, ...model.values[value].shape];
      feeds[`v${value}`] = array64(
        shape,
        (samples.get(value) ?? []).flatMap((x) => [...x]),
      );
      return [value, builder.input(`v${value}`, shape, domain.kind === "tokens" ? "i32" : "f32")] as const;
    }),
  );
  const weights = model.weights.map((w, i) => {
    feeds[`w${i}`] = array64(w.shape, tensors[i]);
    return builder.input(`w${i}`, w.shape);
  });
  const lowered = [...lower(model, builder, batch, new Map(known), weights)];
  const outputs = lowered.map(([id, tensor]) => ({ name: `${id}`, tensor }));
  const out = interpret(builder.graph("values", outputs), feeds);
  return new Map(
    lowered.map(([id]) => {
      const { data } = out[`${id}`];
      const count = data.length / batch;
      return [
        id,
        Array.from({ length: batch }, (_, b) => Float64Array.from(data.subarray(b * count, (b + 1) * count))),
      ];
    }),
  );
}

/** A part of a model seen from one value: what doesn't depend on it is a constant. */
export class Part extends Sketch {
  private readonly whole: Model;
  private readonly part: Model;

  constructor(whole: Model, source: ValueId, tensors: Tensors, values: ReadonlyMap<ValueId, Float64Array>) {
    super();
    this.whole = whole;
    whole.weights.forEach((w, i) => this.weights.push({ shape: w.shape, role: w.role, data: tensors[i] }));
    const reached = new Set([source]);
    const made: Node[] = [];
    const known = new Set([source]);
    for (const node of whole.nodes) {
      if (!node.inputs.some((id) => reached.has(id)) || node.outputs.includes(source)) continue;
      for (const id of node.inputs) {
        if (known.has(id)) continue;
        known.add(id);
        const shape = whole.values[id].shape;
        this.weights.push({ shape, role: "value", data: values.get(id) as Float64Array });
        made.push({
          ...node,
          layer: "Learned",
          path: `constant_${id}`,
          inputs: [],
          outputs: [id],
          config: {},
          weights: { value: this.weights.length - 1 },
          body: null,
        });
      }
      node.outputs.forEach((id) => (reached.add(id), known.add(id)));
      made.push(node);
    }
    const input = { name: "source", value: source, domain: { kind: "unbounded" } as const, span: nowhere };
    this.part = { ...whole, inputs: [input], nodes: made };
  }

  /** Nodes that depend on the source, in order. */
  get reached(): readonly Node[] {
    return this.part.nodes.filter((node) => !node.path.startsWith("constant_"));
  }
  override shape(value: ValueId): Shape {
    return this.whole.values[value].shape;
  }
  override model(): Model {
    return this.part;
  }
}
