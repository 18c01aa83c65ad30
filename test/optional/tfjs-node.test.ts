/** The native TensorFlow library: run by `npm run test:tfjs-node`, which builds it and says where it is. */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";
import { handwrittenVersion } from "../../bench/tfjs/handwritten.ts";
import { nativeMeans } from "../../bench/tfjs/native.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { agrees, referenceRun, sizes } from "../bench/network.ts";
import { valueOf } from "../onnx/support.ts";
import { expectParity, expectSteadyTraining, tinyProblem, transformerProblem } from "./check-engine.ts";

describe.skipIf(process.env.LIPSC_PACKAGES === undefined)("the native TensorFlow library", () => {
  const found: string[] = [];
  afterAll(() => console.info(found.join("\n")));
  const open = async () => valueOf(await openEngine({ engine: process.env.LIPSC_ENGINE ?? "tfjs-node" }));

  it.each([tinyProblem(), transformerProblem()])(
    "$name agrees with the float64 interpreter",
    async (problem) => {
      const engine = await open();
      expect(tf.getBackend()).toBe("tensorflow");
      found.push(await expectParity(engine, problem));
    },
  );

  it("1 000 steps: the loss falls, memory stays", async () => {
    found.push(await expectSteadyTraining(await open(), tinyProblem(), 1000));
  });

  it("the hand-written version of the benchmark agrees with the float64 interpreter", async () => {
    await open();
    await agrees(handwrittenVersion(sizes, nativeMeans), await referenceRun());
  });
});
