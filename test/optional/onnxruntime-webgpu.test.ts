/** ONNX Runtime's WebGPU provider: run by `npm run test:webgpu`, where a driver is found. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { valueOf } from "../onnx/support.ts";
import { problemOf, type Problem } from "../parity/problem.ts";
import { distance, outcomeOn } from "../parity/run.ts";

function problem(file: string, name: string, set: Record<string, string> = {}): Problem {
  const model = modelOf(file, name, set);
  if (model.train === null) throw new Error(`${name} has no recipe`);
  return problemOf(name, model, { ...model.train, batch: 4 });
}

describe.skipIf(process.env.LIPSC_PACKAGES === undefined)("onnxruntime-node on WebGPU", () => {
  const found: string[] = [];
  afterAll(() => console.info(found.join("\n")));

  it.each([
    ["test/fixtures/tiny-fashion.lips", "TinyFashion", {}],
    ["bench/specs/vit-bench.lips", "VitBench", { depth: "1", dim: "24" }],
  ])(
    "%s: gradients, and parameters after ten steps, agree with the float64 interpreter",
    async (file, name, set) => {
      const { training, ...rest } = problem(file, name, set);
      const webgpu = valueOf(await openOrtNode({ device: "webgpu" }));
      expect(webgpu.device).toBe("WebGPU");
      const exact = await outcomeOn(valueOf(await openEngine({ engine: "reference" })), {
        training,
        ...rest,
      });
      const apart = distance(await outcomeOn(webgpu, { training, ...rest }), exact);
      const [gradients, parameters] = [apart.gradients.distance, apart.parameters.distance];
      found.push(`${name}: logits ${apart.logits}, gradients ${gradients}, parameters ${parameters}`);
      expect(apart.logits).toBeLessThan(1e-4);
      expect(gradients, apart.gradients.path).toBeLessThan(1e-3);
      expect(parameters, apart.parameters.path).toBeLessThan(1e-3);
      found.push(`${name}, operators of a training step: ${await placement(training, rest)}`);
    },
  );

  /** How many operators ran where, by ONNX Runtime's own trace. */
  async function placement(graph: Graph, { weights, feeds }: Omit<Problem, "training">): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "lipsc-trace-"));
    try {
      const engine = valueOf(await openOrtNode({ device: "webgpu" }));
      const model = emitOnnx(graph, { provider: "webgpu" });
      const session = valueOf(await engine.load(graph, model, {}, join(folder, "trace")));
      const state = Object.fromEntries(
        graph.nodes.flatMap((node) => {
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
