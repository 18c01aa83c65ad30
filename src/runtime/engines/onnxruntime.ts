/** What the two ONNX Runtimes (native and wasm) share: sessions whose state stays in place between runs. */
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-node";
import type { Graph } from "../../graph/graph.ts";
import type { HostTensor, Session, SessionOptions } from "../engine.ts";
import { ranOutput, stopOutput } from "../../targets/onnx/handover.ts";
import { modelOutputName } from "../../targets/onnx/names.ts";
import { carriedValues, copyInto, copyOf, inputsOf, outputsOf, zerosOf } from "./carried.ts";

const ortTypes = { f32: "float32", i32: "int32", bool: "bool" } as const;

export interface OrtModule {
  readonly Tensor: TensorConstructor;
  /** Whether a run writes its outputs into arrays that it is given; the wasm build does not. */
  readonly writesInPlace: boolean;
}

/** What the engine knows of a model that it wrote itself. */
export interface Written {
  /** Carried inputs whose new value may be written over the old one (in-place.ts). */
  readonly inPlace: ReadonlySet<string>;
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
  /** What the next run writes, where that is possible; the same array where old and new may share it. */
  back: Held | null;
}

/**
 * Wraps a loaded model. Carried state lies in arrays that are made once; a run reads them and writes, as preallocated
 * outputs, the same ones or a second set that then changes places with the first. So no state is copied by us, nor, where
 * the model has `stopOutput`, by onnxruntime-node.
 */
export function ortSession(
  ort: OrtModule,
  session: InferenceSession,
  graph: Graph,
  options: SessionOptions = {},
  { inPlace }: Written = { inPlace: new Set() },
): Session {
  const wrap = (host: HostTensor): Held => ({ host, tensor: tensorOf(ort, host) });
  const stops = session.outputNames.includes(stopOutput);
  const slots = carriedValues(graph, options.carry).map(({ name, node }): Slot => {
    const front = wrap(zerosOf(node));
    const back = !ort.writesInPlace ? null : inPlace.has(name) ? front : wrap(zerosOf(node));
    return { input: name, output: modelOutputName(graph, name), front, back };
  });
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
        const fed = feeds[name];
        if (fed === undefined) throw new Error(`no value for input ${name}`);
        if (fed.dtype !== node.dtype || `${fed.dims}` !== `${node.shape}`) {
          throw new Error(`${name}: ${fed.dtype} [${fed.dims}] given for ${node.dtype} [${node.shape}]`);
        }
        values[name] = tensorOf(ort, fed);
      }
      const given: Record<string, HostTensor> = {};
      const fetches: Record<string, Tensor | null> = {};
      for (const { name, node, output } of results) {
        if (stops) given[name] = zerosOf(node);
        fetches[output] = stops ? tensorOf(ort, given[name]) : null;
      }
      for (const s of slots) {
        values[s.input] = s.front.tensor;
        fetches[s.output] = s.back?.tensor ?? null;
      }
      const outputs = stops
        ? await runToStop(ort, session, values, fetches)
        : await session.run(values, fetches);
      for (const s of slots) {
        const before = s.front;
        s.front = s.back ?? wrap({ ...before.host, data: outputs[s.output].data as HostTensor["data"] });
        if (s.back !== null) s.back = before;
      }
      if (stops) return given;
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

/** Runs a model that has `stopOutput`, with an array for every other output. */
async function runToStop(
  ort: OrtModule,
  session: InferenceSession,
  values: Record<string, Tensor>,
  fetches: Record<string, Tensor | null>,
): Promise<Record<string, Tensor>> {
  const ran = Float32Array.of(0);
  fetches[stopOutput] = null;
  fetches[ranOutput] = tensorOf(ort, { dtype: "f32", dims: [], data: ran });
  try {
    await session.run(values, fetches);
  } catch (error) {
    const stopped = error instanceof Error && /non.tensor/i.test(error.message);
    if (!stopped) throw error;
  }
  if (ran[0] !== 1) throw new Error("onnxruntime-node did not write into the arrays that it was given");
  return {};
}

function tensorOf(ort: OrtModule, { dtype, dims, data }: HostTensor): Tensor {
  return new ort.Tensor(ortTypes[dtype], data as never, dims);
}
