/** The native TensorFlow library: run by `npm run test:tfjs-node`, which builds it and says where it is. */
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { importPackage } from "../../src/runtime/engines/packages.ts";
import { handwrittenVersion } from "../../bench/tfjs/handwritten.ts";
import { nativeMeans } from "../../bench/tfjs/native.ts";
import { agrees, referenceRun, sizes } from "../bench/network.ts";

describe.skipIf(process.env.LIPSC_PACKAGES === undefined)("tfjs-node", () => {
  it("the hand-written version of the benchmark agrees with the float64 interpreter", async () => {
    await importPackage("@tensorflow/tfjs-node");
    expect(tf.getBackend()).toBe("tensorflow");
    await agrees(handwrittenVersion(sizes, nativeMeans), await referenceRun());
  });
});
