/** The hand-written TensorFlow.js versions of the benchmark are the network of its spec, loss and gradients. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { handwrittenVersion } from "../../bench/tfjs/handwritten.ts";
import { nativeMeans } from "../../bench/tfjs/native.ts";
import { registerGradients } from "../../bench/tfjs/register-gradients.ts";
import { tapeVersion } from "../../bench/tfjs/tape.ts";
import { wasmMeans } from "../../bench/tfjs/wasm.ts";
import { agrees, referenceRun, sizes, type Reference } from "./network.ts";

describe("hand-written TensorFlow.js against the float64 interpreter", () => {
  let expected: Reference;
  beforeAll(async () => void (expected = await referenceRun()));
  afterAll(() => tf.removeBackend("wasm"));

  it.each(["cpu", "wasm"])("plain tape on %s", async (backend) => {
    await registerGradients();
    expect(await tf.setBackend(backend)).toBe(true);
    await agrees(tapeVersion(sizes), expected);
  });
  it.each(["cpu", "wasm"])("own gradients, as for the native backend, on %s", async (backend) => {
    expect(await tf.setBackend(backend)).toBe(true);
    await agrees(handwrittenVersion(sizes, nativeMeans), expected);
  });
  it.each(["cpu", "wasm"])("own gradients, as for the wasm backend, on %s", async (backend) => {
    expect(await tf.setBackend(backend)).toBe(true);
    await agrees(handwrittenVersion(sizes, wasmMeans), expected);
  });
});
