/** ONNX Runtime's WebGPU provider: run by `npm run test:webgpu`, where a driver is found. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
import { valueOf } from "../onnx/support.ts";
import type { Problem } from "../parity/problem.ts";
import { expectParity, tinyProblem, transformerProblem } from "./check-engine.ts";

describe.skipIf(process.env.LIPSC_PACKAGES === undefined)("onnxruntime-node on WebGPU", () => {
  const found: string[] = [];
  afterAll(() => console.info(found.join("\n")));

  it.each([tinyProblem(), transformerProblem()])(
    "$name agrees with the float64 interpreter",
    async (problem) => {
      const engine = valueOf(await openOrtNode({ device: "webgpu" }));
      expect(engine.device).toBe("WebGPU");
      found.push(await expectParity(engine, problem));
      found.push(`  operators of its training step: ${await placement(problem)}`);
    },
  );

  /** How many operators ran where, by ONNX Runtime's own trace. */
  async function placement({ training, weights, feeds }: Problem): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "lipsc-trace-"));
    try {
      const engine = valueOf(await openOrtNode({ device: "webgpu" }));
      const model = emitOnnx(training, { provider: "webgpu" });
      const session = valueOf(await engine.load(training, model, {}, join(folder, "trace")));
      const state = Object.fromEntries(
        training.nodes.flatMap((node) => {
          const input = "name" in node.attributes ? String(node.attributes.name) : "";
          if (node.op !== "input" || !/^[mv]\//.test(input)) return [];
          const zeros = new Float32Array(node.shape.reduce((a, b) => a * b, 1));
          return [[input, { dtype: "f32", dims: node.shape, data: zeros } as const]];
        }),
      );
      await session.run({ ...state, ...weights, ...feeds(1) });
      await session.release();
      const [file] = readdirSync(folder);
      const events: { args?: { provider?: string } }[] = JSON.parse(readFileSync(join(folder, file), "utf8"));
      const counts = new Map<string, number>();
      for (const provider of events.flatMap((e) => e.args?.provider ?? []))
        counts.set(provider, (counts.get(provider) ?? 0) + 1);
      expect(counts.get("WebGpuExecutionProvider")).toBeGreaterThan(0);
      return [...counts].map(([provider, count]) => `${provider} ${count}`).join(", ");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
});
