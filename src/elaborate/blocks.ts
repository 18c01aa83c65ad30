/** Application of a block: parameters and dimensions are bound, its body is elaborated, its result checked. */
import type { BlockInstance } from "../model/model.ts";
import type { Block } from "../syntax/ast.ts";
import { runBody, type Body } from "./body.ts";
import { checkClaims } from "./claims.ts";
import { evaluate } from "./expression.ts";
import { recursive, type LoadedFile } from "./files.ts";
import { report, type Frame } from "./frame.ts";
import { isOneStage, newInstance, type Instance } from "./instance.ts";
import { towardZero } from "./numbers.ts";
import { toNumber } from "./rational.ts";
import { declare, newScope } from "./scope.ts";
import { sizesOfType, unify, type Rest, type Unification } from "./shapes.ts";
import { dimensionsOf, paramsOf } from "./signature.ts";
import { coerce, showType, type TypeRef } from "./types.ts";
import {
  describe,
  layerName,
  showShape,
  unknown,
  type LayerVal,
  type TensorVal,
  type Val,
} from "./values.ts";
import { sameShape } from "./build.ts";
import { materialize } from "./apply.ts";

/** The frame inside of a block, before anything is bound. */
function enter(frame: Frame, layer: LayerVal, block: Block, file: LoadedFile, instance: Instance): Frame {
  return {
    ...frame,
    file,
    scope: newScope(null, "body"),
    instance,
    owner: block.name.text,
    dimensions: dimensionsOf(block),
    calls: [layer.span, ...frame.calls].slice(0, 8),
    depth: frame.depth + 1,
    loops: 0,
  };
}

/** A layer given to a block is known by the parameter's name in there, unless the block only passes it on. */
function received(value: Val, name: string, oneStage: boolean, outside: Frame, inside: Instance): Val {
  if (value.kind !== "layer") return value;
  if (oneStage) return { ...value, home: value.home ?? outside.instance, through: true };
  return { ...value, home: inside, label: name, through: false, held: null };
}

/** Static parameters, given or by default, as far as they can be known without the tensors. */
export function bindStatics(frame: Frame, layer: LayerVal, block: Block, file: LoadedFile): Frame | null {
  const inside = enter(frame, layer, block, file, newInstance(frame.instance, frame.instance.path));
  for (const param of paramsOf(frame, layer.target).statics) {
    const given = layer.args.get(param.name);
    if (given) declare(inside.scope, param.name, given.value, given.span, "parameter");
  }
  return inside;
}

export function applyBlock(
  frame: Frame,
  layer: LayerVal,
  block: Block,
  file: LoadedFile,
  path: string,
  inputs: readonly TensorVal[],
): readonly TensorVal[] | null {
  if (recursive.has(block)) {
    frame.run.failed = true;
    return null;
  }
  const inside = enter(frame, layer, block, file, newInstance(frame.instance, path));
  const oneStage = isOneStage(block);
  const params = paramsOf(frame, layer.target);
  for (const param of params.statics) {
    const given = layer.args.get(param.name);
    if (!given) continue;
    const value = received(given.value, param.name, oneStage, frame, inside.instance);
    declare(inside.scope, param.name, value, given.span, "parameter");
  }
  const rest: Rest = { sizes: null };
  const parameter = (name: string): Val | undefined => parameterValue(inside, layer, block, name);
  if (!bindTensors({ inside, rest, parameter }, frame, layer, block, inputs)) return null;
  for (const param of params.statics) if (parameter(param.name)?.kind === "unknown") return null;
  if (block.result.kind !== "shape") {
    report(inside, "misplaced", block.result.span, {
      what: "This type",
      where: "after `->`",
      instead: "a block gives one tensor, written as its shape",
    });
    return null;
  }
  const expected = sizesOfType(inside, block.result, rest, block.name.text, layer.span);
  if (!expected) return null;
  const before = [...namesIn(inside)];
  const body = runBody(inside, block.body, "block");
  const result = resultOf(inside, block, body, expected);
  if (!result) return null;
  const known = new Set(before.map(({ value }) => value));
  const after = [...namesIn(inside)].filter(({ value }) => !known.has(value));
  const names = [...before, ...after];
  inside.model?.instances.push({
    block: block.name.text,
    path,
    numbers: numbersIn(inside),
    names,
    span: block.span,
  });
  checkClaims(inside, body, result);
  return [result];
}

/** Names of the body's own scope that hold a tensor. */
function* namesIn({ scope }: Frame): Iterable<BlockInstance["names"][number]> {
  for (const [name, { value }] of scope.names) {
    if (value.kind === "tensor") yield { name, value: value.value };
  }
}

/** Dimensions and numeric parameters of the body's own scope. */
function numbersIn({ scope }: Frame): BlockInstance["numbers"] {
  const numbers: Record<string, number> = {};
  for (const [name, { value, kind }] of scope.names) {
    if (value.kind === "number" && (kind === "parameter" || kind === "dimension"))
      numbers[name] = toNumber(towardZero(value));
  }
  return numbers;
}

/** A static parameter's value: given, or its default, evaluated when first wanted. undefined: no such parameter. */
function parameterValue(inside: Frame, layer: LayerVal, block: Block, name: string): Val | undefined {
  const known = inside.scope.names.get(name);
  if (known?.kind === "parameter") return known.value;
  const param = block.params.find((p) => p.name.text === name);
  const type = paramsOf(inside, layer.target).statics.find((p) => p.name === name)?.type;
  if (!param || type === undefined) return undefined;
  // Stands while the default is evaluated, so that a default that names itself ends.
  const binding = declare(inside.scope, name, unknown, param.span, "parameter");
  if (type === null) return unknown;
  if (!param.default) {
    const frame = { ...inside, calls: inside.calls.slice(1) };
    report(frame, "missing-argument", layer.span, {
      layer: block.name.text,
      argument: name,
      type: showType(type),
    });
    return unknown;
  }
  const value = defaultOf(inside, param.default, type, name);
  binding.value = received(value, name, false, inside, inside.instance);
  return binding.value;
}

function defaultOf(inside: Frame, e: Parameters<typeof evaluate>[1], type: TypeRef, name: string): Val {
  return coerce(inside, evaluate(inside, e, type), type, name, e.span, true);
}

function bindTensors(
  u: Unification,
  frame: Frame,
  layer: LayerVal,
  block: Block,
  inputs: readonly TensorVal[],
): boolean {
  const { inside } = u;
  let next = 0;
  let good = true;
  for (const param of block.params) {
    if (param.type.kind !== "shape") continue;
    const tensor = inputs[next++];
    if (!tensor) return false;
    const given = layer.tensors.get(param.name.text);
    if (!unify(u, frame, block.name.text, param.type, tensor.shape, given?.span ?? layer.span, !given))
      good = false;
    if (inside.scope.names.has(param.name.text)) {
      report(
        inside,
        "declared-twice",
        param.name.span,
        { name: param.name.text },
        { help: "a parameter and a dimension need two names" },
      );
      good = false;
    } else declare(inside.scope, param.name.text, tensor, param.name.span, "parameter");
  }
  return good;
}

function resultOf(inside: Frame, block: Block, body: Body, expected: readonly number[]): TensorVal | null {
  if (!body.value) {
    if (!inside.run.stopped && !body.stopped)
      report(inside, "nothing-comes-out", block.name.span, { what: "block", name: block.name.text });
    return null;
  }
  const { value, span } = body.value;
  if (value.kind === "unknown") return null;
  if (value.kind === "layer") {
    const stage = layerName(value);
    const first = block.params.find((p) => p.type.kind === "shape")?.name.text ?? "x";
    report(inside, "layer-not-value", span, { layer: stage }, { help: `\`${first} |> ${stage}\`` });
    return null;
  }
  const tensor = materialize(inside, value, span);
  if (!tensor) {
    if (value.kind !== "learned") {
      report(inside, "argument-type", span, {
        argument: `the value of ${block.name.text}`,
        expected: "a tensor",
        found: describe(value),
      });
    }
    return null;
  }
  if (sameShape(tensor.shape, expected)) return tensor;
  report(inside, "result-shape", span, {
    block: block.name.text,
    expected: showShape(expected),
    found: showShape(tensor.shape),
  });
  return null;
}
