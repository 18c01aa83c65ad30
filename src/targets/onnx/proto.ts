/**
 * The part of ONNX's protobuf schema that we write (onnx.proto, IR version 9), as a protobufjs descriptor.
 * Field numbers are those of onnx/onnx, onnx/onnx.proto.
 */
import protobuf from "protobufjs/light.js";
import type { DType, Dims } from "../../graph/graph.ts";

/** ONNX's element types, as far as we use them. */
export const elementTypes = { f32: 1, i32: 6, i64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementTypes;

export type AttributeValue = number | string | readonly number[] | { readonly float: number };

export interface OnnxTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: Dims;
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  /** "" is the standard operator set. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: Dims;
  /** A sequence of such tensors. */
  readonly sequence?: boolean;
}

export interface OnnxModel {
  readonly name: string;
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxTensor[];
}

const one = (type: string, id: number) => ({ type, id });
const many = (type: string, id: number) => ({ rule: "repeated", type, id });

const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: one("int64", 1),
        producerName: one("string", 2),
        graph: one("GraphProto", 7),
        opsetImport: many("OperatorSetIdProto", 8),
      },
    },
    OperatorSetIdProto: { fields: { domain: one("string", 1), version: one("int64", 2) } },
    GraphProto: {
      fields: {
        node: many("NodeProto", 1),
        name: one("string", 2),
        initializer: many("TensorProto", 5),
        input: many("ValueInfoProto", 11),
        output: many("ValueInfoProto", 12),
      },
    },
    NodeProto: {
      fields: {
        input: many("string", 1),
        output: many("string", 2),
        name: one("string", 3),
        opType: one("string", 4),
        attribute: many("AttributeProto", 5),
        domain: one("string", 7),
      },
    },
    AttributeProto: {
      fields: {
        name: one("string", 1),
        f: one("float", 2),
        i: one("int64", 3),
        s: one("bytes", 4),
        ints: many("int64", 8),
        type: one("int32", 20),
      },
    },
    TensorProto: {
      fields: {
        dims: many("int64", 1),
        dataType: one("int32", 2),
        name: one("string", 8),
        rawData: one("bytes", 9),
      },
    },
    ValueInfoProto: { fields: { name: one("string", 1), type: one("TypeProto", 2) } },
    TypeProto: {
      fields: { tensorType: one("TensorTypeProto", 1), sequenceType: one("SequenceTypeProto", 4) },
    },
    SequenceTypeProto: { fields: { elemType: one("TypeProto", 1) } },
    TensorTypeProto: { fields: { elemType: one("int32", 1), shape: one("TensorShapeProto", 2) } },
    TensorShapeProto: { fields: { dim: many("DimensionProto", 1) } },
    DimensionProto: { fields: { dimValue: one("int64", 1) } },
  },
});
const modelType = root.lookupType("ModelProto");

/** The IR version that goes with opset 20 (ONNX 1.15). */
const irVersion = 9;

/** The bytes of an .onnx file. */
export function encodeModel(model: OnnxModel): Uint8Array {
  return modelType
    .encode({
      irVersion,
      producerName: "lipsc",
      opsetImport: [
        { domain: "", version: model.opset },
        { domain: "com.microsoft", version: 1 },
      ],
      graph: {
        name: model.name,
        node: model.nodes.map((n) => ({
          name: n.name,
          opType: n.opType,
          domain: n.domain,
          input: n.inputs,
          output: n.outputs,
          attribute: Object.entries(n.attributes).map(([name, value]) => encodeAttribute(name, value)),
        })),
        initializer: model.initializers.map((t) => ({
          name: t.name,
          dims: t.dims,
          dataType: elementTypes[t.type],
          rawData: t.bytes,
        })),
        input: model.inputs.map(encodeValue),
        output: model.outputs.map(encodeValue),
      },
    })
    .finish();
}

/** A decoded model, for tests and for reading a file back. */
export function decodeModel(bytes: Uint8Array): Record<string, unknown> {
  return modelType.toObject(modelType.decode(bytes), { longs: Number, arrays: true });
}

/** Attribute types: FLOAT 1, INT 2, STRING 3, INTS 7. */
function encodeAttribute(name: string, value: AttributeValue): Record<string, unknown> {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: value };
}

function encodeValue({ name, dtype, dims, sequence = false }: OnnxValue): Record<string, unknown> {
  const tensor = {
    tensorType: { elemType: elementTypes[dtype], shape: { dim: dims.map((dimValue) => ({ dimValue })) } },
  };
  return { name, type: sequence ? { sequenceType: { elemType: tensor } } : tensor };
}
