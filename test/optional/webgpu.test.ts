/** WebGPU in Node: run by `npm run test:webgpu`, which says where the packages and the driver are. */
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { importPackage } from "../../src/runtime/engines/packages.ts";
import { handwrittenVersion } from "../../bench/tfjs/handwritten.ts";
import { nativeMeans } from "../../bench/tfjs/native.ts";
import { agrees, referenceRun, sizes } from "../bench/network.ts";

describe.skipIf(process.env.LIPSC_PACKAGES === undefined)("webgpu", () => {
  it("the hand-written version of the benchmark agrees with the float64 interpreter", async () => {
    const { create, globals } = await importPackage("webgpu");
    Object.assign(globalThis, globals);
    const navigator = { gpu: (create as (options: string[]) => unknown)([]) };
    Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
    await importPackage("@tensorflow/tfjs-backend-webgpu");
    expect(await tf.setBackend("webgpu")).toBe(true);
    expect(tf.getBackend()).toBe("webgpu");
    await agrees(handwrittenVersion(sizes, nativeMeans), await referenceRun());
  });
});
