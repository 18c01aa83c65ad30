/** Model → primitive graph: walks the nodes and lets each layer lower itself. trust: T9 */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../diagnostics/result.ts";
import type { LowerContext } from "../layers/layer.ts";
import { layers } from "../layers/registry.ts";
import type { Coefficient, Model, Node, Shape, ValueId } from "../model/model.ts";
import type { Builder, Tensor } from "./builder.ts";
import { effectiveWeight } from "./constraints/registry.ts";
import { sameShape } from "./primitives/arrays.ts";

export interface LowerOptions {
  readonly batch: number;
  /** Dropout and drop path act. */
  readonly training: boolean;
  /** The model's inputs by name: [batch, ...shape]. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** Free weights, in the order of Model.weights. */
  readonly weights: readonly Tensor[];
  /** Fresh uniform numbers in [0, 1) for each call; needed in training mode only. */
  readonly random: ((shape: Shape) => Tensor) | null;
}

/** The model's inputs as graph inputs `data/<name>`; token ids are i32. */
export function dataInputs(builder: Builder, model: Model, batch: number): Map<string, Tensor> {
  return new Map(
    model.inputs.map(({ name, value, domain }) => [
      name,
      builder.input(
        `data/${name}`,
        [batch, ...model.values[value].shape],
        domain.kind === "tokens" ? "i32" : "f32",
      ),
    ]),
  );
}

/** The model's free weights as graph inputs `param/<path>`. */
export function parameterInputs(builder: Builder, model: Model): Tensor[] {
  return model.weights.map((weight) => builder.input(`param/${weight.path}`, weight.shape));
}

/** Every value that was computed; a layer without a lowering is a diagnostic. */
export function lowerModel(
  builder: Builder,
  model: Model,
  options: LowerOptions,
): Result<ReadonlyMap<ValueId, Tensor>> {
  const problem = firstProblem(model.nodes, options.training);
  if (problem) return problem;
  const weights: Tensor[] = [];
  for (const [i, weight] of model.weights.entries()) {
    builder.origin = weight.path;
    weights.push(effectiveWeight(builder, weight, options.weights[i]));
  }
  const values = new Map<ValueId, Tensor>();
  for (const input of model.inputs) {
    const tensor = options.inputs.get(input.name);
    if (!tensor) throw new Error(`input ${input.name} is not given`);
    values.set(input.value, tensor);
  }
  lowerNodes(model.nodes, values, { builder, model, weights, options });
  builder.origin = "";
  return good(values);
}

/** The first layer, also in bodies, that can't be lowered (or trained). */
function firstProblem(nodes: readonly Node[], training: boolean): Result<never> | null {
  for (const node of nodes) {
    const layer = layers.get(node.layer);
    const what = `\`${node.layer}\` (${node.path})`;
    const reason = !layer
      ? "no such layer is registered"
      : "none" in layer.lower
        ? layer.lower.none
        : (layer.refuses?.(node.config) ?? (training ? layer.untrainable : undefined));
    if (reason !== undefined)
      return bad(diagnostic("not-executable", node.span, { what, reason: reason.replace(/\.$/, "") }));
    const inner = node.body && firstProblem(node.body.nodes, training);
    if (inner) return inner;
  }
  return null;
}

interface Walk {
  readonly builder: Builder;
  readonly model: Model;
  readonly weights: readonly Tensor[];
  readonly options: LowerOptions;
}

function lowerNodes(nodes: readonly Node[], values: Map<ValueId, Tensor>, walk: Walk): void {
  for (const node of nodes) {
    const layer = layers.get(node.layer);
    if (!layer || "none" in layer.lower) throw new Error(`${node.layer} has no lowering`);
    walk.builder.origin = node.path;
    const outputs = layer.lower(contextOf(node, values, walk));
    node.outputs.forEach((id, i) => {
      const expected = [walk.options.batch, ...walk.model.values[id].shape];
      if (!sameShape(outputs[i].shape, expected)) {
        throw new Error(`${node.layer} (${node.path}) gave [${outputs[i].shape}] in place of [${expected}]`);
      }
      values.set(id, outputs[i]);
    });
  }
}

function contextOf(
  node: Node,
  values: ReadonlyMap<ValueId, Tensor>,
  walk: Walk,
): LowerContext<Node["config"]> {
  const { builder, model, weights, options } = walk;
  const shapeOf = (id: ValueId) => model.values[id].shape;
  const weightAt = (id: number | undefined, name: string) => {
    if (id === undefined) throw new Error(`${node.path} has no weight ${name}`);
    return weights[id];
  };
  return {
    builder,
    config: node.config,
    batch: options.batch,
    training: options.training,
    inputs: node.inputs.map((id) => values.get(id) as Tensor),
    shapes: node.inputs.map(shapeOf),
    outputs: node.outputs.map(shapeOf),
    weight: (name) => weightAt(node.weights[name], name),
    coefficient: (c: Coefficient) =>
      c.kind === "constant" ? builder.constant(c.value) : weightAt(c.weight, "coefficient"),
    random(shape) {
      if (!options.random) throw new Error(`${node.path} asks for random numbers outside of training`);
      return options.random(shape);
    },
    step(inputs) {
      const { body } = node;
      if (!body) throw new Error(`${node.path} has no body`);
      const inside = new Map(values);
      body.parameters.forEach((id, i) => inside.set(id, inputs[i]));
      lowerNodes(body.nodes, inside, walk);
      builder.origin = node.path;
      return inside.get(body.result) as Tensor;
    },
  };
}
