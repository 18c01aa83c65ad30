/** ONNX Runtime compiled to WebAssembly: runs where the native package can't be loaded. */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Engine } from "../engine.ts";
import type { Result } from "../result.ts";
import { ortSession } from "./onnxruntime.ts";
import { cpuThreads, reasonOf, type EngineOptions } from "./options.ts";

export async function openOrtWeb({ device = "cpu", threads = cpuThreads() }: EngineOptions = {}): Promise<
  Result<Engine>
> {
  const name = "onnxruntime-web";
  if (device !== "cpu") {
    const reason = "in Node it runs on the CPU only";
    return { ok: false, problem: diagnostic("device-missing", null, { engine: name, device, reason }) };
  }
  let ort: typeof import("onnxruntime-web");
  try {
    ort = await import("onnxruntime-web");
  } catch (error) {
    return {
      ok: false,
      problem: diagnostic("engine-missing", null, { engine: name, reason: reasonOf(error) }),
    };
  }
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const { emitOnnx } = await import("../../targets/onnx/onnx.ts");
  const value: Engine = {
    name,
    device: `WebAssembly on the CPU, ${threads} thread${threads === 1 ? "" : "s"}`,
    version: ort.env.versions.web ?? ort.env.versions.common,
    async open(graph, options) {
      try {
        const session = await ort.InferenceSession.create(emitOnnx(graph), { executionProviders: ["wasm"] });
        return {
          ok: true,
          value: ortSession({ Tensor: ort.Tensor, writesInPlace: false }, session, graph, options),
        };
      } catch (error) {
        return {
          ok: false,
          problem: diagnostic("engine-refused", null, { engine: name, reason: reasonOf(error) }),
        };
      }
    },
  };
  return { ok: true, value };
}
