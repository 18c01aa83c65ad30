/** Sessions of the TensorFlow.js engines: what they hold, what they free, what they say when something is missing. */
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { gradients } from "../../src/graph/autodiff.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { openTfjs } from "../../src/runtime/engines/tfjs.ts";
import { backends } from "../../src/runtime/engines/tfjs-backends.ts";
import { outline } from "../../src/targets/tfjs/outline.ts";
import { printProgram } from "../../src/targets/tfjs/print.ts";
import { exact, expectClose, valueOf } from "../onnx/support.ts";

const steps = 1000;

/** One step of gradient descent on a small network: the weight comes out under its own name. */
function descent(): Graph {
  const b = new Builder();
  const w = b.input("param/block.0.weight", [3, 4]);
  const x = b.input("data/x", [8, 4]);
  b.origin = "block.0";
  const y = b.gelu(b.matmul(x, w, false, true));
  const loss = b.mean(b.mul(y, y), [0, 1]);
  const [grad] = gradients(b, loss, [w]);
  b.origin = "update/block.0.weight";
  const next = b.sub(w, b.mul(grad, 0.1));
  return b.graph("descent", [
    { name: "param/block.0.weight", tensor: next },
    { name: "metric/loss", tensor: loss },
  ]);
}

const ramp = (dims: readonly number[]): HostTensor => ({
  dtype: "f32",
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
});

test.each(["tfjs-wasm", "tfjs-cpu"])(
  `%s holds as much after ${steps} steps as after the first`,
  async (name) => {
    const engine = valueOf(await openEngine({ engine: name }));
    const before = tf.memory().numTensors;
    const session = valueOf(await engine.open(descent(), { carry: ["param/block.0.weight"] }));
    await session.write({ "param/block.0.weight": ramp([3, 4]) });
    const feeds = { "data/x": ramp([8, 4]) };
    const first = (await session.run(feeds))["metric/loss"].data[0];
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    let last = first;
    for (let step = 1; step < steps; step++) last = (await session.run(feeds))["metric/loss"].data[0];
    expect(tf.memory()).toMatchObject({ numTensors, numBytes, numDataBuffers });
    expect(last).toBeLessThan(first);
    await session.release();
    expect(tf.memory().numTensors).toBe(before);
  },
);

test("one data under two shapes as a right operand gives right products on WebAssembly", async () => {
  // The backend packs it once, for the first shape, and reads beyond its memory for the second.
  const b = new Builder();
  const [x, y] = [b.input("x", [1, 64]), b.input("y", [64, 96])];
  const first = b.matmul(x, y);
  const folded = b.matmul(b.input("z", [2, 16]), b.reshape(y, [16, 384]));
  const graph = b.graph("twice", [
    { name: "first", tensor: first },
    { name: "folded", tensor: folded },
  ]);
  const feeds = { x: ramp([1, 64]), y: ramp([64, 96]), z: ramp([2, 16]) };
  const session = valueOf(await valueOf(await openEngine({ engine: "tfjs-wasm" })).open(graph));
  const found = await session.run(feeds);
  await session.release();
  const wanted = exact(graph, feeds);
  expectClose(found.first, wanted.first, 1e-5);
  expectClose(found.folded, wanted.folded, 1e-5);
});

describe("tensors are disposed of when their last use has passed", () => {
  test("a chain of steps never holds more than two of its values", async () => {
    const b = new Builder();
    const size = 1000;
    let x = b.input("x", [size]);
    for (let i = 0; i < 20; i++) {
      b.origin = `step_${i}`;
      x = b.exp(x);
    }
    const graph = b.graph("chain", [{ name: "y", tensor: x }]);
    await openEngine({ engine: "tfjs-cpu" });
    await tf.setBackend("cpu");
    const program = printProgram(outline(graph, () => []));
    const most = { bytes: 0 };
    const counting = new Proxy(tf, {
      get(target, key) {
        const found: unknown = Reflect.get(target, key);
        if (key !== "exp") return found;
        return (value: tf.Tensor) => {
          const y = tf.exp(value);
          most.bytes = Math.max(most.bytes, tf.memory().numBytes);
          return y;
        };
      },
    });
    const before = tf.memory().numBytes;
    const given = { x: tf.zeros([size]) };
    const next: Record<string, tf.Tensor> = {};
    const main = new Function("tf", "support", program)(counting, {}) as (run: object) => void;
    main({ given, next, gradient: {}, constants: {} });
    // The input is the caller's and stays.
    expect(most.bytes - before).toBeLessThanOrEqual(3 * size * 4);
    tf.dispose([given, next]);
  });
});

test("a package that is missing is named, with what to install", async () => {
  const webgpu = backends.find((backend) => backend.engine === "tfjs-webgpu");
  if (webgpu === undefined) throw new Error("no such backend");
  const absent = { ...webgpu, register: () => import(/* @vite-ignore */ `no-such-${"package"}`) };
  const opened = await openTfjs(absent);
  expect(opened.ok).toBe(false);
  if (opened.ok) return;
  expect(opened.problem.code).toBe("LIPS0701");
  expect(opened.problem.help).toContain("npm install webgpu");
  expect(opened.problem.message).not.toContain("imported from");
});

test("a backend that doesn't start is refused, for TensorFlow.js would go on with another", async () => {
  const opened = await openTfjs({
    engine: "tfjs-none",
    name: "none",
    install: null,
    register: () => Promise.resolve(),
    device: () => "",
  });
  expect(opened.ok).toBe(false);
});

test("tfjs is the first backend that loads, and says which", async () => {
  const engine = valueOf(await openEngine({ engine: "tfjs" }));
  expect(backends.map((backend) => backend.engine)).toContain(engine.name);
  expect(engine.device.length).toBeGreaterThan(0);
});
