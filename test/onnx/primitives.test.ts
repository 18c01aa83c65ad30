import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/runtime/engine.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { openOrtWeb } from "../../src/runtime/engines/onnxruntime-web.ts";
import { emissions, type EmittedOp } from "../../src/targets/onnx/emit/table.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
import { cases, drawCase } from "./cases.ts";
import { exact, expectClose, runOnce, valueOf } from "./support.ts";

const node = valueOf(await openOrtNode({ threads: 2 }));

/** What is printed for another device, run on the CPU: the same operators, other kernels. */
const printedFor = (provider: "webgpu" | "cuda"): Engine => ({
  ...node,
  open: (graph, options) => node.load(graph, emitOnnx(graph, { provider }), options),
});

const engines: readonly { name: string; engine: Engine; runs: number }[] = [
  { name: "onnxruntime-node", engine: node, runs: 25 },
  { name: "onnxruntime-node, as printed for WebGPU,", engine: printedFor("webgpu"), runs: 12 },
  { name: "onnxruntime-node, as printed for CUDA,", engine: printedFor("cuda"), runs: 12 },
  { name: "onnxruntime-web", engine: valueOf(await openOrtWeb({ threads: 1 })), runs: 8 },
];

test("every emission has a case", () => {
  expect(Object.keys(cases).sort()).toEqual(Object.keys(emissions).sort());
});

describe.each(engines)("$name equals the float64 interpreter", ({ engine, runs }) => {
  test.each(Object.keys(cases))("%s", async (op) => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => {
        const { graph, feeds } = drawCase(op as EmittedOp, g);
        const outputs = await runOnce(engine, graph, feeds);
        expectClose(outputs.y, exact(graph, feeds).y, 1e-5);
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });
});
