/** State that is written over itself: when that is allowed, and that it changes no bit. */
import { describe, expect, test } from "vitest";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { writableInPlace } from "../../src/runtime/engines/in-place.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { stateShapes } from "../../src/runtime/prepare.ts";
import { modelOutputName } from "../../src/targets/onnx/names.ts";
import { emitOnnx, onnxModel } from "../../src/targets/onnx/onnx.ts";
import { reducedModel, reducedRecipe, reducedSpecs } from "../helpers/reduced.ts";
import { problemOf, type Problem } from "../parity/problem.ts";
import { startState } from "../parity/run.ts";
import { valueOf } from "./support.ts";

function writable(graph: Graph): string[] {
  const carried = [...stateShapes(graph).keys()];
  const pairs = carried.map((input) => ({ input, output: modelOutputName(graph, input) }));
  return [...writableInPlace(onnxModel(graph), pairs)];
}

/** A graph whose state `x` becomes what `next` makes of it, with another output. */
function stepOf(next: (b: Builder, x: Tensor) => { x: Tensor; y: Tensor }): Graph {
  const b = new Builder();
  const made = next(b, b.input("x", [3, 3]));
  return b.graph("step", [
    { name: "x", tensor: made.x },
    { name: "y", tensor: made.y },
  ]);
}

describe("a value may be written over", () => {
  test("if nothing else reads it", () => {
    expect(writable(stepOf((b, x) => ({ x: b.sub(x, b.input("d", [3, 3])), y: b.input("e", []) })))).toEqual([
      "x",
    ]);
  });

  test("if every other reader comes before, by what the new value is made of", () => {
    const graph = stepOf((b, x) => {
      const norm = b.sum(b.mul(x, x), [0, 1]);
      return { x: b.mul(b.mul(x, 0.5), norm), y: norm };
    });
    expect(writable(graph)).toEqual(["x"]);
  });

  test("not if a reader may come after", () => {
    expect(writable(stepOf((b, x) => ({ x: b.mul(x, 0.5), y: b.exp(x) })))).toEqual([]);
  });

  test("not if a reader may come after once a transpose is folded into it", () => {
    const graph = stepOf((b, x) => {
      const turned = b.exp(b.transpose(x, [1, 0]));
      // The transpose is an ancestor of the new value; the product that takes it in is not.
      const product = b.matmul(b.transpose(x, [1, 0]), b.input("w", [3, 3]));
      return { x: b.add(x, turned), y: product };
    });
    expect(writable(graph)).toEqual([]);
  });

  test("not by a node that reads its entries in another order", () => {
    expect(
      writable(stepOf((b, x) => ({ x: b.add(x, b.transpose(x, [1, 0])), y: b.input("e", []) }))),
    ).toEqual([]);
    expect(writable(stepOf((b, x) => ({ x: b.matmul(x, x), y: b.input("e", []) })))).toEqual([]);
  });
});

async function trained(
  problem: Problem,
  threads: number,
  plain: boolean,
): Promise<Record<string, HostTensor>> {
  const engine = valueOf(await openOrtNode({ threads }));
  const { training } = problem;
  const shapes = stateShapes(training);
  const carry = { carry: [...shapes.keys()] };
  // Loaded from bytes, nothing is known of the model: every state has two arrays.
  const session = valueOf(
    plain ? await engine.load(training, emitOnnx(training), carry) : await engine.open(training, carry),
  );
  await session.write(startState(shapes, problem.weights));
  let last: Record<string, HostTensor> = {};
  for (let step = 1; step <= 3; step++) last = await session.run(problem.feeds(step));
  const state = await session.read();
  await session.release();
  return { ...state, ...last };
}

describe("the same bits as with two arrays", () => {
  // The other sizes and forms of a family have the same kinds of updates.
  test.each(reducedSpecs.filter(({ name }) => !/-(small|base|released|fashion)/.test(name)))(
    "$name",
    async (entry) => {
      const model = reducedModel(entry);
      const problem = problemOf(entry.name, model, reducedRecipe(entry, model));
      for (const threads of entry.name === "quick-start" ? [1, 2, 3, 4] : [2]) {
        const expected = await trained(problem, threads, true);
        const found = await trained(problem, threads, false);
        expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
        for (const [name, { data }] of Object.entries(expected)) {
          if (!Buffer.from(data.buffer).equals(Buffer.from(found[name].data.buffer)))
            throw new Error(`${name} differs with ${threads} threads`);
        }
      }
    },
  );

  test("all state of a step with clipped gradients; not all without", () => {
    const entry = reducedSpecs.find((s) => s.name === "lipsformer-swin-tiny");
    if (!entry) throw new Error("no such spec");
    const model = reducedModel(entry);
    const recipe = reducedRecipe(entry, model);
    const { training } = problemOf(entry.name, model, recipe);
    expect(writable(training).sort()).toEqual([...stateShapes(training).keys()].sort());
    const free = problemOf(entry.name, model, { ...recipe, clip: null }).training;
    const found = new Set(writable(free));
    expect(found.has("m/linear.weight")).toBe(true);
    expect(found.size).toBeLessThan(stateShapes(free).size);
  });
});

test("an error of the run itself is passed on, not taken for the end of the handover", async () => {
  const b = new Builder();
  const x = b.input("x", [4]);
  const at = b.input("at", [1], "i32");
  const graph = b.graph("gather", [
    { name: "x", tensor: b.add(x, 1) },
    { name: "y", tensor: b.gather(b.add(x, 2), at, 0) },
  ]);
  const session = valueOf(await valueOf(await openOrtNode({ threads: 1 })).open(graph, { carry: ["x"] }));
  const index = (i: number): HostTensor => ({ dtype: "i32", dims: [1], data: Int32Array.of(i) });
  const { y } = await session.run({ at: index(3) });
  expect([...y.data]).toEqual([2]);
  await expect(session.run({ at: index(9) })).rejects.toThrow(/out of data bounds|indices/);
  await session.release();
});
