/** Application: tensors flow into a layer, weights are made, nodes are added. */
import type { Layer } from "../layers/layer.ts";
import type { Shape, ValueId } from "../model/model.ts";
import type { Span } from "../text/source.ts";
import { applyBlock } from "./blocks.ts";
import { LayerCall } from "./call.ts";
import { report, type Frame } from "./frame.ts";
import { baseName, newInstance, pathIn, type Instance } from "./instance.ts";
import { learnedWeight } from "./learned.ts";
import { limits } from "./run.ts";
import { paramsOf } from "./signature.ts";
import {
  layerName,
  showShape,
  unknown,
  type Given,
  type LayerVal,
  type LearnedVal,
  type TensorVal,
  type Val,
} from "./values.ts";

/** An application costs about as much as so many expressions. */
const applicationWork = 20;

/** Largest number of entries of a value: far beyond any machine, and exact in float64. */
export const mostEntries = 2 ** 45;

/** Applies a layer to the tensors that it still lacks; the result is a tensor, or a list where the layer gives several. */
export function applyAll(frame: Frame, layer: LayerVal, flowing: readonly Given[]): Val {
  const outputs = apply(frame, layer, flowing);
  if (!outputs) return unknown;
  return outputs.length === 1 ? outputs[0] : { kind: "list", items: outputs };
}

/** null after a reported mistake. */
export function apply(frame: Frame, layer: LayerVal, flowing: readonly Given[]): readonly TensorVal[] | null {
  const { run, model } = frame;
  if (run.stopped || !run.countWork(applicationWork, layer.span)) return null;
  if (!model) {
    const instead = "only numbers, options and layers can be constants";
    report(frame, "misplaced", layer.span, { what: "A tensor", where: "at file level", instead });
    return null;
  }
  if (frame.depth >= limits.depth) {
    report(frame, "nested-too-deep", layer.span, { what: "Blocks", limit: limits.depth });
    return null;
  }
  const inputs = collect(frame, layer, flowing);
  if (!inputs) return null;
  const before = model.weights.length;
  const outputs = layer.shared ? applyShared(frame, layer, inputs) : applyTarget(frame, layer, inputs);
  countUse(frame, layer, model.weights.length > before);
  return outputs;
}

/** `let f = Linear(d)` used at two places makes two matrices; most people mean one. */
function countUse(frame: Frame, layer: LayerVal, madeWeights: boolean): void {
  const { held } = layer;
  if (!held || layer.shared || !madeWeights || frame.loops > held.loops) return;
  held.places.add(`${layer.site.start}`);
}

/** The tensors in the order of the layer's parameters, `learned` ones made. */
function collect(frame: Frame, layer: LayerVal, flowing: readonly Given[]): readonly TensorVal[] | null {
  const params = paramsOf(frame, layer.target);
  const waiting = [...flowing];
  const inputs: TensorVal[] = [];
  const take = (given: Given): boolean => {
    const tensor = materialize(frame, given.value, given.span);
    if (tensor) inputs.push(tensor);
    return tensor !== null;
  };
  for (const name of params.tensors) {
    const given = layer.tensors.get(name) ?? waiting.shift();
    if (!given) {
      const help = `give it by name: \`${params.name}(${name}: …)\``;
      report(
        frame,
        "missing-argument",
        layer.span,
        { layer: params.name, argument: name, type: "a tensor" },
        { help },
      );
      return null;
    }
    if (!take(given)) return null;
  }
  for (let i = params.tensors.length; params.rest; i++) {
    const given = layer.tensors.get(`${i}`);
    if (!given) break;
    if (!take(given)) return null;
  }
  for (const given of params.rest ? waiting.splice(0) : []) if (!take(given)) return null;
  if (waiting.length === 0) return inputs;
  report(frame, "too-many-arguments", layer.span, { layer: params.name, most: params.tensors.length });
  return null;
}

/** A tensor, or a learned value made here. null after a report. */
export function materialize(frame: Frame, value: Val, span: Span): TensorVal | null {
  if (value.kind === "tensor") return value;
  if (value.kind === "learned") return makeLearned(frame, value);
  if (value.kind === "layer") report(frame, "layer-not-value", span, { layer: layerName(value) });
  return null;
}

function makeLearned(frame: Frame, learned: LearnedVal): TensorVal | null {
  const { model, instance, run } = frame;
  if (!model) return null;
  if (!run.countLayer(learned.span)) return null;
  if (!learned.shape || learned.shape.length === 0) {
    const found = learned.shape ? "a single number" : "no shape";
    const help = "say its shape: `learned(trunc_normal(0.02), shape: [50, d])`";
    report(frame, "learned-shape", learned.span, { expected: "a tensor's shape", found }, { help });
    return null;
  }
  const path = pathIn(instance, learned.label ?? "learned", `${learned.site.start}`, model.paths);
  const weight = learnedWeight(frame, learned, `${path}.value`, [learned.shape], "value");
  if (weight === null) return null;
  instance.used = true;
  const value = model.addValue(learned.shape, learned.span);
  model.addNode({
    layer: "Learned",
    path,
    inputs: [],
    outputs: [value],
    config: {},
    weights: { value: weight },
    span: learned.span,
    calls: frame.calls,
    body: null,
  });
  return { kind: "tensor", value, shape: learned.shape };
}

/** One set of weights for all applications: the store gives them again, in the order in which they were made. */
function applyShared(
  frame: Frame,
  layer: LayerVal,
  inputs: readonly TensorVal[],
): readonly TensorVal[] | null {
  const store = layer.shared;
  if (!store) return null;
  const sharing = { store, outer: frame.sharing, next: 0 };
  return applyTarget({ ...frame, sharing }, { ...layer, shared: null }, inputs);
}

function applyTarget(
  frame: Frame,
  layer: LayerVal,
  inputs: readonly TensorVal[],
): readonly TensorVal[] | null {
  const { target } = layer;
  if (target.kind === "sequence") return applySequence(frame, layer, target.parts, inputs);
  const home = layer.home ?? frame.instance;
  const label = layer.label ?? baseName(layerName(layer));
  const path = pathIn(home, label, `${layer.site.file}:${layer.site.start}`, frame.model?.paths ?? new Set());
  frame.instance.used = true;
  return target.kind === "layer"
    ? applyBuiltIn(frame, layer, target.layer, path, inputs)
    : applyBlock(frame, layer, target.block, target.file, path, inputs);
}

/** A sequence held by a name gives its parts that name as a common beginning. */
function applySequence(
  frame: Frame,
  layer: LayerVal,
  parts: readonly LayerVal[],
  inputs: readonly TensorVal[],
): readonly TensorVal[] | null {
  let home: Instance | null = layer.home;
  if (layer.label !== null && frame.model) {
    const around = home ?? frame.instance;
    home = newInstance(
      around,
      pathIn(around, layer.label, `${layer.site.file}:${layer.site.start}`, frame.model.paths),
    );
  }
  const inner = { ...frame, depth: frame.depth + 1 };
  let values: readonly TensorVal[] = inputs;
  for (const part of parts) {
    if (values.length !== 1) {
      report(frame, "not-one-shape", part.span, { layer: "the layer before", count: values.length });
      return null;
    }
    const [value] = values;
    const next = apply(inner, part.home || !home ? part : { ...part, home }, [{ value, span: part.span }]);
    if (!next) return null;
    values = next;
  }
  return values;
}

function applyBuiltIn(
  frame: Frame,
  layer: LayerVal,
  definition: Layer,
  path: string,
  inputs: readonly TensorVal[],
): readonly TensorVal[] | null {
  const { model } = frame;
  if (!model) return null;
  const call = new LayerCall(frame, layer, definition, path, inputs);
  const ids = definition.signature.ids ? undefined : inputs.find((v) => v.tokens !== undefined);
  if (ids) call.fail("ids-not-numbers", { layer: definition.name, found: showShape(ids.shape) });
  const plan = !ids && call.checkRequired() ? definition.infer(call) : undefined;
  if (!plan || call.failed) {
    // A rule that gives nothing without saying why would leave the user without a word.
    if (!call.failed && !frame.run.failed)
      throw new Error(`the layer ${definition.name} failed without a diagnostic`);
    return null;
  }
  if (!frame.run.countLayer(layer.span)) return null;
  if (!plan.outputs.every((shape) => isSensible(frame, layer, shape))) return null;
  const outputs: ValueId[] = plan.outputs.map((shape) => model.addValue(shape, layer.span));
  model.addNode({
    layer: definition.name,
    path,
    inputs: plan.inputs ?? inputs.map((v) => v.value),
    outputs,
    config: plan.config,
    weights: plan.weights ?? {},
    span: layer.span,
    calls: frame.calls,
    body: plan.body
      ? { parameters: plan.body.parameters, nodes: plan.body.nodes, result: plan.body.result.value }
      : null,
  });
  return outputs.map((value, i) => ({ kind: "tensor", value, shape: plan.outputs[i] }));
}

export function isSensible(frame: Frame, layer: LayerVal, shape: Shape): boolean {
  const whole = shape.every((n) => Number.isInteger(n) && n >= 1);
  if (whole && shape.length <= 3 && shape.reduce((a, b) => a * b, 1) <= mostEntries) return true;
  report(frame, "bad-shape", layer.span, { layer: layerName(layer), found: showShape(shape) });
  return false;
}
