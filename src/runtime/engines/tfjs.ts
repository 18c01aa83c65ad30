/** What the TensorFlow.js engines share: the code of a generated file, run on one backend, with state that stays there. */
import { setImmediate } from "node:timers/promises";
import type * as Tf from "@tensorflow/tfjs-core";
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Run, Tensors } from "../../targets/tfjs/support/run.ts";
import type { Engine, HostTensor, Session, SessionOptions } from "../engine.ts";
import { bad, good, type Result } from "../result.ts";
import { carriedValues, inputsOf, outputsOf, zerosOf } from "./carried.ts";
import { reasonOf, type EngineOptions } from "./options.ts";
import { backends, type Backend } from "./tfjs-backends.ts";

const types = { f32: "float32", i32: "int32", bool: "bool" } as const;

/** Opens one backend; it is asserted to be the one that runs, for TensorFlow.js keeps another without a word. */
export async function openTfjs(
  backend: Backend,
  { device = "cpu" }: EngineOptions = {},
): Promise<Result<Engine>> {
  const { engine } = backend;
  if (device !== "cpu") {
    const reason = "--device is for ONNX Runtime; TensorFlow.js has an engine for each device";
    return bad(diagnostic("device-missing", null, { engine, device, reason }));
  }
  const missing = (reason: string): Result<never> =>
    bad(diagnostic("engine-missing", null, { engine, reason, install: backend.install ?? undefined }));
  let tf: typeof Tf;
  try {
    tf = await import("@tensorflow/tfjs-core");
    // Without this the plain backend greets with an advertisement.
    tf.enableProdMode();
    await backend.register(tf);
    await tf.setBackend(backend.name);
    await tf.ready();
  } catch (error) {
    return missing(reasonOf(error).replace(/ imported from .*$/, ""));
  }
  if (tf.getBackend() !== backend.name) return missing(`its backend ${backend.name} does not start`);
  const found = backend.device(tf);
  if (found.startsWith("!"))
    return bad(diagnostic("device-missing", null, { engine, device: "the GPU", reason: found.slice(1) }));
  return good({
    name: engine,
    device: found,
    version: tf.version_core,
    async open(graph, options) {
      try {
        return good(await tfjsSession(tf, backend, graph, options));
      } catch (error) {
        return bad(diagnostic("engine-refused", null, { engine, reason: reasonOf(error) }));
      }
    },
  });
}

/** The first backend that can be opened; the problem of the last where none can. */
export async function openAnyTfjs(options: EngineOptions = {}): Promise<Result<Engine>> {
  let opened: Result<Engine> | null = null;
  for (const backend of backends) {
    opened = await openTfjs(backend, options);
    if (opened.ok) return opened;
  }
  if (opened === null) throw new Error("there are no backends");
  return opened;
}

/** A session; the code is printed by the target that writes files, without its types. */
async function tfjsSession(
  tf: typeof Tf,
  backend: Backend,
  graph: Graph,
  options: SessionOptions = {},
): Promise<Session> {
  const { outline } = await import("../../targets/tfjs/outline.ts");
  const { printProgram } = await import("../../targets/tfjs/print.ts");
  const { support } = await import("../../targets/tfjs/support/index.ts");
  const program = outline(graph, () => []);
  const make = new Function("tf", "support", printProgram(program)) as (
    library: typeof Tf,
    functions: typeof support,
  ) => (run: Run) => void;
  const main = make(tf, support);

  /** Sessions of several backends may live side by side: each sets its own before it works. */
  const select = async (): Promise<void> => {
    if (tf.getBackend() !== backend.name) await tf.setBackend(backend.name);
    if (tf.getBackend() !== backend.name) throw new Error(`the backend ${backend.name} is gone`);
  };
  await select();
  const upload = ({ dtype, dims, data }: HostTensor): Tf.Tensor => tf.tensor(data, [...dims], types[dtype]);
  const constants: Tensors = {};
  for (const [name, { data = [], shape, dtype }] of program.constants) {
    const values = dtype === "f32" ? Float32Array.from(data) : Int32Array.from(data);
    constants[name] = tf.tensor(values, [...shape], types[dtype]);
  }
  const carried = carriedValues(graph, options.carry);
  const names = new Set(carried.map((v) => v.name));
  let state: Tensors = Object.fromEntries(carried.map((v) => [v.name, upload(zerosOf(v.node))]));
  const wanted = inputsOf(graph).filter((v) => !names.has(v.name));
  const results = outputsOf(graph).filter((v) => !names.has(v.name));
  const consumed = new Set(outputsOf(graph).map((v) => v.name));
  const held = (name: string): Tf.Tensor => {
    if (!names.has(name)) throw new Error(`${name} is not carried by this session`);
    return state[name];
  };

  return {
    async run(feeds) {
      // Nothing below waits on backends that compute at once: without this turn, Ctrl-C would wait for the last step.
      await setImmediate();
      await select();
      const given: Tensors = { ...state };
      for (const { name, node } of wanted) {
        const fed = feeds[name];
        if (fed === undefined) throw new Error(`no value for input ${name}`);
        if (fed.dtype !== node.dtype || `${fed.dims}` !== `${node.shape}`) {
          throw new Error(`${name}: ${fed.dtype} [${fed.dims}] given for ${node.dtype} [${node.shape}]`);
        }
        given[name] = upload(fed);
      }
      const run: Run = { given, constants, gradient: {}, next: {} };
      main(run);
      state = Object.fromEntries(carried.map((v) => [v.name, run.next[v.name]]));
      // What goes out under the same name was taken over by the program.
      for (const { name } of wanted) if (!consumed.has(name)) given[name].dispose();
      const outputs: Record<string, HostTensor> = {};
      for (const { name, node } of results) {
        outputs[name] = {
          dtype: node.dtype,
          dims: node.shape,
          data: await download(run.next[name], node.dtype),
        };
        run.next[name].dispose();
      }
      const [failure] = backend.failures?.(tf) ?? [];
      if (failure !== undefined)
        throw new Error(
          `${backend.engine}: the device reports an error, so its numbers are wrong: ${failure}`,
        );
      return outputs;
    },
    async write(values) {
      await select();
      for (const [name, value] of Object.entries(values)) {
        const before = held(name);
        const known = carried.find((v) => v.name === name);
        if (known === undefined || known.node.dtype !== value.dtype || value.data.length !== before.size) {
          throw new Error(`${name}: ${value.dtype} [${value.dims}] given for [${before.shape}]`);
        }
        before.dispose();
        state[name] = upload({ ...value, dims: known.node.shape, data: value.data.slice() });
      }
    },
    async read(wantedNames = carried.map((v) => v.name)) {
      const found: Record<string, HostTensor> = {};
      for (const name of wantedNames) {
        const tensor = held(name);
        const dtype = carried.find((v) => v.name === name)?.node.dtype ?? "f32";
        found[name] = { dtype, dims: tensor.shape, data: await download(tensor, dtype) };
      }
      return found;
    },
    async release() {
      tf.dispose(state);
      tf.dispose(constants);
      state = {};
    },
  };
}

/** A copy of a tensor's entries. */
async function download(tensor: Tf.Tensor, dtype: HostTensor["dtype"]): Promise<HostTensor["data"]> {
  const data = await tensor.data();
  if (dtype === "i32") return Int32Array.from(data);
  return dtype === "bool" ? Uint8Array.from(data) : Float32Array.from(data);
}
