import { expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
import { valueOf } from "./support.ts";

function doubling() {
  const b = new Builder();
  const x = b.input("x", [3]);
  return b.graph("doubling", [
    { name: "x", tensor: b.mul(x, 2) },
    { name: "y", tensor: b.add(x, 1) },
  ]);
}
const vector = (...values: number[]): HostTensor => ({
  dtype: "f32",
  dims: [values.length],
  data: Float32Array.from(values),
});

test("damaged model bytes are refused with the engine's words", async () => {
  const engine = valueOf(await openOrtNode());
  const graph = doubling();
  const bytes = emitOnnx(graph);
  for (const damaged of [
    bytes.slice(0, bytes.length >> 1),
    new Uint8Array(0),
    Uint8Array.from(bytes, (x, i) => (i % 7 === 3 ? x ^ 0x55 : x)),
  ]) {
    const loaded = await engine.load(graph, damaged);
    expect(loaded.ok).toBe(false);
    if (!loaded.ok) expect(loaded.problem).toMatchObject({ code: "LIPS0704", severity: "error" });
  }
});

test("an unknown engine is named with those that there are", async () => {
  const choice = await openEngine({ engine: "onnx" });
  expect(choice.ok).toBe(false);
  if (!choice.ok) {
    expect(choice.problem.code).toBe("LIPS0702");
    for (const known of ["onnxruntime-node", "onnxruntime-web", "tfjs-node-gpu", "tfjs-wasm", "reference"])
      expect(choice.problem.help).toContain(known);
  }
});

test("a device that is absent is said to be, and nothing else runs in its place", async () => {
  for (const request of [
    { device: "cuda" },
    { engine: "onnxruntime-web", device: "webgpu" },
    { engine: "reference", device: "cuda" },
  ] as const) {
    const choice = await openEngine(request);
    // A machine with CUDA opens the first.
    if (choice.ok) expect(choice.value.device).toBe("CUDA");
    else expect(choice.problem.code).toBe("LIPS0703");
  }
});

test("the default engine is onnxruntime-node on the CPU", async () => {
  const choice = await openEngine({ threads: 1 });
  expect(choice.ok && [choice.value.name, choice.value.device, choice.notes]).toEqual([
    "onnxruntime-node",
    "CPU, 1 thread",
    [],
  ]);
  expect(choice.ok && choice.value.version).toMatch(/^\d+\.\d+\.\d+/);
});

test.each(["onnxruntime-node", "onnxruntime-web", "tfjs-wasm", "tfjs-cpu", "reference"])(
  "%s carries state from run to run",
  async (engine) => {
    const choice = await openEngine({ engine });
    if (!choice.ok) throw new Error(choice.problem.message);
    const session = valueOf(await choice.value.open(doubling(), { carry: ["x"] }));
    await session.write({ x: vector(1, 2, 3) });
    const first = await session.run({});
    const second = await session.run({});
    expect(Object.keys(second)).toEqual(["y"]);
    expect([...first.y.data]).toEqual([2, 3, 4]);
    expect([...second.y.data]).toEqual([3, 5, 7]);
    const state = await session.read();
    expect([...state.x.data]).toEqual([4, 8, 12]);
    state.x.data[0] = 99;
    expect([...(await session.read(["x"])).x.data]).toEqual([4, 8, 12]);
    await session.write({ x: vector(-1, 0, 1) });
    await session.run({});
    expect([...(await session.read()).x.data]).toEqual([-2, 0, 2]);
    await session.release();
  },
);

test("an output of the same name as an input keeps its name for the caller", async () => {
  const choice = await openEngine();
  if (!choice.ok) throw new Error(choice.problem.message);
  const session = valueOf(await choice.value.open(doubling()));
  const outputs = await session.run({ x: vector(1, 2, 3) });
  expect([...outputs.x.data]).toEqual([2, 4, 6]);
  await session.release();
});

test("feeds that don't fit are a bug with a clear message", async () => {
  const choice = await openEngine();
  if (!choice.ok) throw new Error(choice.problem.message);
  const session = valueOf(await choice.value.open(doubling()));
  await expect(session.run({})).rejects.toThrow("no value for input x");
  await expect(session.run({ x: vector(1) })).rejects.toThrow("f32 [1] given for f32 [3]");
  await session.release();
});
