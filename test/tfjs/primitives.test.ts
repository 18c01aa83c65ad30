import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { emissions, type EmittedOp } from "../../src/targets/tfjs/emit/table.ts";
import { cases, drawCase } from "../onnx/cases.ts";
import { exact, expectClose, runOnce, valueOf } from "../onnx/support.ts";

const engines = [
  { name: "tfjs-wasm", runs: 20 },
  { name: "tfjs-cpu", runs: 12 },
];

test("every emission has a case", () => {
  expect(Object.keys(cases).sort()).toEqual(Object.keys(emissions).sort());
});

describe.each(engines)("$name equals the float64 interpreter", ({ name, runs }) => {
  test.each(Object.keys(cases))("%s", async (op) => {
    const engine = valueOf(await openEngine({ engine: name }));
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
