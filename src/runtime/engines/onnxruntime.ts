/** What the two ONNX Runtimes (native and wasm) share: sessions whose state stays in place between runs. */
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-node";
import type { Graph } from "../../graph/graph.ts";
import type { HostTensor, Session, SessionOptions } from "../engine.ts";
import { modelOutputName } from "../../targets/onnx/names.ts";
import { carriedValues, copyInto, copyOf, inputsOf, outputsOf, zerosOf } from "./carried.ts";

const ortTypes = { f32: "float32", i32: "int32", bool: "bool" } as const;

export interface OrtModule {
  readonly Tensor: TensorConstructor;
  /** Whether a run writes its outputs into arrays that it is given; the wasm build does not. */
  readonly writesInPlace: boolean;
}

interface Held {
  readonly host: HostTensor;
  readonly tensor: Tensor;
}

interface Slot {
  readonly input: string;
  readonly output: string;
  /** What the next run reads. */
  front: Held;
  /** What the next run writes, where that is possible. */
  back: Held | null;
}

/**
 * Wraps a loaded model. Carried state lies in two sets of arrays, made once; each run reads one set and writes the other
 * as preallocated outputs, and then they change places, so no state is copied by us.
 */
export function ortSession(
  ort: OrtModule,
  session: InferenceSession,
  graph: Graph,
  options: SessionOptions = {},
): Session {
  const wrap = (host: HostTensor): Held => ({ host, tensor: tensorOf(ort, host) });
  const slots = carriedValues(graph, options.carry).map(({ name, node }): Slot => ({
    input: name,
    output: modelOutputName(graph, name),
    front: wrap(zerosOf(node)),
    back: ort.writesInPlace ? wrap(zerosOf(node)) : null,
  }));
  const byInput = new Map(slots.map((s) => [s.input, s]));
  const wanted = inputsOf(graph).filter((v) => !byInput.has(v.name));
  const results = outputsOf(graph)
    .filter((v) => !byInput.has(v.name))
    .map((v) => ({ ...v, output: modelOutputName(graph, v.name) }));
  const slot = (name: string): Slot => {
    const found = byInput.get(name);
    if (found === undefined) throw new Error(`${name} is not carried by this session`);
    return found;
  };

  return {
    async run(feeds) {
      const values: Record<string, Tensor> = {};
      for (const { name, node } of wanted) {
        const given = feeds[name];
        if (given === undefined) throw new Error(`no value for input ${name}`);
        if (given.dtype !== node.dtype || `${given.dims}` !== `${node.shape}`) {
          throw new Error(`${name}: ${given.dtype} [${given.dims}] given for ${node.dtype} [${node.shape}]`);
        }
        values[name] = tensorOf(ort, given);
      }
      const fetches: Record<string, Tensor | null> = {};
      for (const { output } of results) fetches[output] = null;
      for (const s of slots) {
        values[s.input] = s.front.tensor;
        fetches[s.output] = s.back?.tensor ?? null;
      }
      const outputs = await session.run(values, fetches);
      for (const s of slots) {
        const before = s.front;
        s.front = s.back ?? wrap({ ...before.host, data: outputs[s.output].data as HostTensor["data"] });
        if (s.back !== null) s.back = before;
      }
      return Object.fromEntries(
        results.map(({ name, node, output }) => {
          const data = outputs[output].data as HostTensor["data"];
          return [name, { dtype: node.dtype, dims: node.shape, data }];
        }),
      );
    },
    async write(state) {
      for (const [name, tensor] of Object.entries(state)) copyInto(slot(name).front.host, tensor, name);
    },
    async read(names = slots.map((s) => s.input)) {
      return Object.fromEntries(names.map((name) => [name, copyOf(slot(name).front.host)]));
    },
    async release() {
      await session.release();
    },
  };
}

function tensorOf(ort: OrtModule, { dtype, dims, data }: HostTensor): Tensor {
  return new ort.Tensor(ortTypes[dtype], data as never, dims);
}
