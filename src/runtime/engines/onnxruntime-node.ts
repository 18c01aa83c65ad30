/** ONNX Runtime's native build: CPU, WebGPU and CUDA. */
import type { InferenceSession } from "onnxruntime-node";
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Provider } from "../../targets/onnx/emitter.ts";
import type { Engine, Session, SessionOptions } from "../engine.ts";
import type { Result } from "../result.ts";
import { stopHandover } from "../../targets/onnx/handover.ts";
import { modelOutputName } from "../../targets/onnx/names.ts";
import { writableInPlace } from "./in-place.ts";
import { ortSession, type Written } from "./onnxruntime.ts";
import { cpuThreads, reasonOf, type EngineOptions } from "./options.ts";

const deviceNames = { cpu: "CPU", webgpu: "WebGPU", cuda: "CUDA" } as const;

export interface OrtNodeEngine extends Engine {
  /** `profile` is a prefix for ONNX Runtime's own trace of every node. */
  open(graph: Graph, options?: SessionOptions, profile?: string): Promise<Result<Session>>;
  /** Loads the bytes of a model for a graph. */
  load(graph: Graph, model: Uint8Array, options?: SessionOptions, profile?: string): Promise<Result<Session>>;
}

/** Where the package or the wanted provider is absent, the diagnostic says so. */
export async function openOrtNode({ device = "cpu", threads = cpuThreads() }: EngineOptions = {}): Promise<
  Result<OrtNodeEngine>
> {
  const name = "onnxruntime-node";
  let ort: typeof import("onnxruntime-node");
  try {
    ort = (await import("onnxruntime-node")).default;
  } catch (error) {
    return {
      ok: false,
      problem: diagnostic("engine-missing", null, { engine: name, reason: reasonOf(error) }),
    };
  }
  // What fails is thrown, and told as a diagnostic; the library's own log would say it again.
  ort.env.logLevel = "fatal";
  const { onnxModel } = await import("../../targets/onnx/onnx.ts");
  const { encodeModel } = await import("../../targets/onnx/proto.ts");
  const providers = device === "cpu" ? ["cpu"] : [device, "cpu"];
  const module = { Tensor: ort.Tensor, writesInPlace: device === "cpu" };
  const sessionOptions = (profile?: string): InferenceSession.SessionOptions => ({
    ...sessionSettings(threads),
    executionProviders: providers,
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  });
  const load = async (
    graph: Graph,
    model: Uint8Array,
    options?: SessionOptions,
    profile?: string,
    written?: Written,
  ): Promise<Result<Session>> => {
    try {
      const session = await ort.InferenceSession.create(model, sessionOptions(profile));
      return { ok: true, value: ortSession(module, session, graph, options, written) };
    } catch (error) {
      return {
        ok: false,
        problem: diagnostic("engine-refused", null, { engine: name, reason: reasonOf(error) }),
      };
    }
  };
  const open = (graph: Graph, options?: SessionOptions, profile?: string): Promise<Result<Session>> => {
    const model = onnxModel(graph, { provider: device });
    const { carry = [] } = options ?? {};
    if (!module.writesInPlace || carry.length === 0) return load(graph, encodeModel(model), options, profile);
    const carried = carry.map((input) => ({ input, output: modelOutputName(graph, input) }));
    const written = { inPlace: writableInPlace(model, carried) };
    return load(graph, encodeModel(stopHandover(model)), options, profile, written);
  };
  if (device !== "cpu") {
    const refusal = await probe(ort, device, providers);
    if (refusal !== null) {
      const params = { engine: name, device: deviceNames[device], reason: refusal };
      return { ok: false, problem: diagnostic("device-missing", null, params) };
    }
  }
  const value: OrtNodeEngine = {
    name,
    device: device === "cpu" ? `CPU, ${threads} thread${threads === 1 ? "" : "s"}` : deviceNames[device],
    version: ort.env.versions.node ?? ort.env.versions.common,
    open,
    load: (graph, model, options, profile) => load(graph, model, options, profile),
  };
  return { ok: true, value };
}

/**
 * Settings that were measured to be best, see docs/engines.md. Without `set_denormal_as_zero`: the first session with it turns
 * subnormal numbers off for the whole thread, JavaScript's float64 included, and bounds would round down (TRUST.md, T1).
 */
export function sessionSettings(threads: number): InferenceSession.SessionOptions {
  return {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    enableCpuMemArena: true,
    enableMemPattern: false,
    logSeverityLevel: 3,
  };
}

/** Runs the smallest model on the provider; what is said where that fails. */
async function probe(
  ort: typeof import("onnxruntime-node"),
  device: Provider,
  providers: string[],
): Promise<string | null> {
  const { encodeModel } = await import("../../targets/onnx/proto.ts");
  const x = { name: "x", dtype: "f32", dims: [2] } as const;
  const model = encodeModel({
    name: "probe",
    opset: 20,
    nodes: [{ name: "add", opType: "Add", domain: "", inputs: ["x", "x"], outputs: ["y"], attributes: {} }],
    inputs: [x],
    outputs: [{ ...x, name: "y" }],
    initializers: [],
  });
  if (!ort.listSupportedBackends().some((b) => b.name === device))
    return `this build of it has no ${device} provider`;
  try {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: providers,
      logSeverityLevel: 4,
    });
    await session.run({ x: new ort.Tensor("float32", Float32Array.of(1, 2), [2]) });
    await session.release();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}
