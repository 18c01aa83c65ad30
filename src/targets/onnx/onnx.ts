/** The primitive graph as one ONNX model. trust: T10 */
import type { Graph, GraphNode, Op } from "../../graph/graph.ts";
import type { HostTensor } from "../../graph/graph.ts";
import { emissions, type EmittedOp } from "./emit/table.ts";
import type { Emission } from "./emit/emission.ts";
import { bytesOf, Emitter, type Provider } from "./emitter.ts";
import type { Fuser, Fusion } from "./fuse/fusion.ts";
import { View } from "./fuse/fusion.ts";
import { fuseBias, fuseProduct } from "./fuse/gemm.ts";
import { modelOutputName } from "./names.ts";
import { fusePads } from "./fuse/pads.ts";
import { fuseSquareSum } from "./fuse/square-sum.ts";
import { encodeModel, type OnnxModel, type OnnxTensor, type OnnxValue } from "./proto.ts";
import { relaxBroadcasts } from "../relax.ts";

export interface OnnxOptions {
  /** Inputs that become part of the file, by name; all others stay inputs. */
  readonly initializers?: Readonly<Record<string, HostTensor>>;
  /** Version of the standard operator set; Gelu came with 20. */
  readonly opset?: number;
  readonly provider?: Provider;
  /** Peepholes off, to compare with. */
  readonly fuse?: boolean;
}

/** Tried in this order on every node, from the last node to the first. */
const fusers: readonly Fuser[] = [fusePads, fuseBias, fuseProduct, fuseSquareSum];

/** The bytes of an .onnx file that computes the graph. Throws for a graph that breaks its own rules. */
export function emitOnnx(graph: Graph, options: OnnxOptions = {}): Uint8Array {
  return encodeModel(onnxModel(graph, options));
}

/** The same as data, for those who want to look at it. */
export function onnxModel(given: Graph, options: OnnxOptions = {}): OnnxModel {
  const { initializers = {}, opset = 20, provider = "cpu", fuse = true } = options;
  if (opset < 20) throw new Error(`opset ${opset} is too old: Gelu needs 20`);
  const graph = relaxBroadcasts(given);
  const inputs = inputsOf(given);
  const names = [...inputs.map((i) => i.name), ...graph.outputs.map((o) => modelOutputName(given, o.name))];
  const taken = new Set(names);
  if (taken.size !== names.length) throw new Error("an input or output name occurs twice");
  const e = new Emitter(graph, provider, taken);
  for (const { id, name } of inputs) e.name(id, name);

  const view = new View(graph, provider);
  const fusions = fuse ? findFusions(view) : new Map<number, Fusion>();
  const covered = new Set([...fusions.values()].flatMap((f) => f.covers));
  graph.nodes.forEach((node, id) => {
    if (node.op === "input" || node.op === "constant" || covered.has(id) || view.uses(id) === 0) return;
    e.enter(id);
    const fusion = fusions.get(id);
    e.name(id, fusion === undefined ? emitNode(e, node) : fusion.emit(e));
  });
  return finish(e, graph, inputs, initializers, opset);
}

function emitNode(e: Emitter, node: GraphNode): string {
  const emission = emissions[node.op as EmittedOp] as Emission<Op>;
  const names = node.inputs.map((input) => e.value(input));
  const operands = node.inputs.map((input) => e.graph.nodes[input]);
  return emission(e, node, names, operands);
}

function findFusions(view: View): Map<number, Fusion> {
  const found = new Map<number, Fusion>();
  const covered = new Set<number>();
  for (let id = view.graph.nodes.length - 1; id >= 0; id--) {
    if (covered.has(id) || view.uses(id) === 0) continue;
    for (const fuser of fusers) {
      const fusion = fuser(view, id);
      if (fusion === undefined) continue;
      found.set(id, fusion);
      for (const inner of fusion.covers) covered.add(inner);
      break;
    }
  }
  return found;
}

interface Input {
  readonly id: number;
  readonly name: string;
  readonly node: GraphNode;
}

function inputsOf(graph: Graph): Input[] {
  return graph.nodes.flatMap((node, id) =>
    node.op === "input" ? [{ id, name: (node as GraphNode<"input">).attributes.name, node }] : [],
  );
}

/** Gives outputs their names: the node that makes a value is renamed; a second name or a bare input gets an Identity. */
function finish(
  e: Emitter,
  graph: Graph,
  inputs: readonly Input[],
  initializers: Readonly<Record<string, HostTensor>>,
  opset: number,
): OnnxModel {
  const made = new Set(e.nodes.flatMap((n) => n.outputs));
  const renamed = new Map<string, string>();
  const outputs = graph.outputs.map(({ name: plain, node }): OnnxValue => {
    const name = modelOutputName(graph, plain);
    e.enter(node);
    const value = e.value(node);
    if (made.has(value) && !renamed.has(value)) renamed.set(value, name);
    else renamed.set(e.node("Identity", [value]), name);
    return { name, dtype: graph.nodes[node].dtype, dims: graph.nodes[node].shape };
  });
  const rename = (name: string) => renamed.get(name) ?? name;
  const given = inputs.filter((i) => initializers[i.name] !== undefined);
  return {
    name: graph.name,
    opset,
    nodes: e.nodes.map((n) => ({ ...n, inputs: n.inputs.map(rename), outputs: n.outputs.map(rename) })),
    inputs: inputs
      .filter((i) => initializers[i.name] === undefined)
      .map((i) => ({ name: i.name, dtype: i.node.dtype, dims: i.node.shape })),
    outputs,
    initializers: [...e.initializers, ...given.map((i) => initializer(i.name, initializers[i.name]))],
  };
}

function initializer(name: string, { dtype, dims, data }: HostTensor): OnnxTensor {
  return { name, type: dtype, dims, bytes: bytesOf(dtype, data) };
}
