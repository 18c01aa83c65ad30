/** What can be given to a layer, a block or a sequence of them: one view for built-ins and blocks. */
import type { Layer } from "../layers/layer.ts";
import type { Expr, Type } from "../syntax/ast.ts";
import type { Frame } from "./frame.ts";
import { typeOfParam, typeWritten, type TypeRef } from "./types.ts";
import type { Target } from "./values.ts";
import type { Block, Param } from "../syntax/ast.ts";

export interface StaticParam {
  readonly name: string;
  /** null: the type is wrong and has been reported. */
  readonly type: TypeRef | null;
  /** Blocks pass a learned number on, so that their `real` may be one. */
  readonly learns: boolean;
}

export interface Params {
  readonly name: string;
  readonly statics: readonly StaticParam[];
  readonly tensors: readonly string[];
  /** Takes any number of tensors, at least those named. */
  readonly rest: boolean;
}

const ofLayers = new WeakMap<Layer, Params>();
const ofBlocks = new WeakMap<Block, Params>();
const sequence: Params = { name: "this sequence of layers", statics: [], tensors: ["x"], rest: false };

export function paramsOf(frame: Frame, target: Target): Params {
  if (target.kind === "sequence") return sequence;
  if (target.kind === "layer") {
    let params = ofLayers.get(target.layer);
    if (!params) {
      const { name, signature } = target.layer;
      const statics = signature.params.map((p) => ({ name: p.name, type: typeOfParam(p), learns: false }));
      params = { name, statics, tensors: signature.tensors, rest: signature.rest ?? false };
      ofLayers.set(target.layer, params);
    }
    return params;
  }
  let params = ofBlocks.get(target.block);
  if (!params) {
    const { block } = target;
    const statics = block.params.filter((p) => p.type.kind === "named");
    params = {
      name: block.name.text,
      statics: staticParams(frame, statics),
      tensors: block.params.filter((p) => p.type.kind === "shape").map((p) => p.name.text),
      rest: false,
    };
    ofBlocks.set(block, params);
  }
  return params;
}

/** Parameters of a model are all static. */
export function staticParams(frame: Frame, params: readonly Param[]): StaticParam[] {
  return params.map((p) => ({ name: p.name.text, type: typeWritten(frame, p.type), learns: true }));
}

/** Names of a block's axes: bare names in its parameters' shapes. */
export function dimensionsOf(block: Block): string[] {
  const names = new Set<string>();
  for (const param of block.params) for (const name of bareNames(param.type)) names.add(name);
  return [...names];
}

function bareNames(type: Type): string[] {
  if (type.kind !== "shape") return [];
  const values = type.dims.flatMap((d): Expr[] => (d.kind === "dim" ? [d.value] : []));
  return values.flatMap((e) => (e.kind === "name" ? [e.text] : []));
}
