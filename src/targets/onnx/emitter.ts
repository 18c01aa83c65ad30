/** Collects ONNX nodes and initialisers while a graph is printed; knows which result of which graph node has which name. */
import type { DType, Dims, Graph, GraphNode } from "../../graph/graph.ts";
import type { AttributeValue, ElementType, OnnxNode, OnnxTensor } from "./proto.ts";

/** The execution provider that a model is written for: they differ in what they have and in what is fast. */
export type Provider = "cpu" | "webgpu" | "cuda";

export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly graph: Graph;
  readonly provider: Provider;
  private readonly names = new Map<number, string>();
  private readonly constants = new Map<string, string>();
  /** Names in use; those of the model's inputs and outputs from the start. */
  private readonly taken: Set<string>;
  private origin = "";
  private serial = 0;

  constructor(graph: Graph, provider: Provider, taken: Iterable<string>) {
    this.graph = graph;
    this.provider = provider;
    this.taken = new Set(taken);
  }

  /** The name that a graph node's result has in the model. */
  value(id: number): string {
    const known = this.names.get(id);
    if (known !== undefined) return known;
    const node = this.graph.nodes[id];
    if (node.op !== "constant") throw new Error(`node ${id} (${node.op}) is used before it is emitted`);
    const name = this.full(node as GraphNode<"constant">);
    this.names.set(id, name);
    return name;
  }
  has(id: number): boolean {
    return this.names.has(id);
  }
  name(id: number, name: string): void {
    this.names.set(id, name);
  }

  /** Everything emitted until the next call belongs to this graph node: its origin becomes part of the names. */
  enter(id: number): void {
    const { origin, op } = this.graph.nodes[id];
    this.origin = `${origin === "" ? "" : `${origin}/`}${op}.${id}`;
    this.serial = 0;
  }

  /** Adds a node with one result; returns the result's name. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeValue> = {},
    domain = "",
  ): string {
    return this.multiple(opType, inputs, 1, attributes, domain)[0];
  }
  /** Adds a node with several results. */
  multiple(
    opType: string,
    inputs: readonly string[],
    results: number,
    attributes: Record<string, AttributeValue> = {},
    domain = "",
  ): string[] {
    let name = this.fresh();
    while (this.taken.has(name)) name = this.fresh();
    this.taken.add(name);
    const outputs = Array.from({ length: results }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.nodes.push({ name, opType, domain, inputs, outputs, attributes });
    return outputs;
  }

  private fresh(): string {
    this.serial += 1;
    return this.serial === 1 ? this.origin : `${this.origin}.${this.serial}`;
  }

  /** A list of int64, as ONNX wants shapes and axes. */
  int64(values: readonly number[]): string {
    return this.initializer(`i64[${values}]`, "i64", [values.length], () => bytesOf("i64", values));
  }
  /** A tensor of rank 0. */
  scalar(value: number, dtype: DType): string {
    const text = Object.is(value, -0) ? "-0" : String(value);
    return this.initializer(`${dtype}(${text})`, dtype, [], () => bytesOf(dtype, [value]));
  }
  /** `count` copies of one number, as a vector. */
  filled(value: number, dims: Dims): string {
    const count = dims.reduce((a, b) => a * b, 1);
    return this.initializer(`f32(${value})[${dims}]`, "f32", dims, () =>
      bytesOf("f32", new Float64Array(count).fill(value)),
    );
  }
  private full(node: GraphNode<"constant">): string {
    const { data, fill } = node.attributes;
    if (fill && node.shape.length === 0) return this.scalar(data[0], node.dtype);
    const count = node.shape.reduce((a, b) => a * b, 1);
    if (!fill || count <= 64) {
      const values = fill ? new Float64Array(count).fill(data[0]) : data;
      const key = values.length <= 16 ? `${node.dtype}[${node.shape}](${Array.from(values, signed)})` : "";
      return this.initializer(key, node.dtype, node.shape, () => bytesOf(node.dtype, values));
    }
    return this.node("Expand", [this.scalar(data[0], node.dtype), this.int64(node.shape)]);
  }
  private initializer(key: string, type: ElementType, dims: Dims, bytes: () => Uint8Array): string {
    const known = key === "" ? undefined : this.constants.get(key);
    if (known !== undefined) return known;
    const name = `constant[${this.initializers.length}]`;
    this.initializers.push({ name, type, dims, bytes: bytes() });
    if (key !== "") this.constants.set(key, name);
    return name;
  }
}

const signed = (x: number): string => (Object.is(x, -0) ? "-0" : String(x));

/** Little-endian bytes, as ONNX's raw_data has them. */
export function bytesOf(type: ElementType, values: ArrayLike<number>): Uint8Array {
  if (type === "bool") return Uint8Array.from(values, (x) => (x === 0 ? 0 : 1));
  const size = type === "i64" ? 8 : 4;
  const view = new DataView(new ArrayBuffer(values.length * size));
  for (let i = 0; i < values.length; i++) {
    if (type === "f32") view.setFloat32(i * 4, values[i], true);
    else if (type === "i32") view.setInt32(i * 4, values[i], true);
    else view.setBigInt64(i * 8, BigInt(values[i]), true);
  }
  return new Uint8Array(view.buffer);
}
