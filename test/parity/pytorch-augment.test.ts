/** RandAugment's operations in train.py against those of `lipsc train`, on the same images. Part of `npm run test:parity`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { operations } from "../../src/runtime/data/augment/rand-augment.ts";
import { generator } from "../../src/runtime/random.ts";
import { readSafetensors } from "../../src/runtime/safetensors.ts";
import { valueOf } from "../onnx/support.ts";
import { all } from "./engines.ts";
import { programs, python, runPython, scratch, writeTensors } from "./pytorch.ts";

/** As in augment.py. */
const strengths = [
  [0.9, 1],
  [0.9, -1],
  [0.35, 1],
  [1, -1],
] as const;
const [low, high] = [0, 1];
const shapes = [
  [11, 14, 3],
  [9, 8, 1],
] as const;

describe.skipIf(!all || python === null)("RandAugment", () => {
  const images = shapes.map(([h, w, c], k) => {
    const next = generator(3, k);
    return Float32Array.from({ length: h * w * c }, () => Math.fround(Math.floor(next() * 256) / 255));
  });
  const means = shapes.map(([, , c]) => Float32Array.from({ length: c }, (_, i) => 0.3 + 0.1 * i));

  test("does in train.py what it does in lipsc train", () => {
    const folder = scratch();
    const [given, found] = ["given", "found"].map((name) => join(folder.path, `${name}.safetensors`));
    const tensors = images.flatMap((data, k) => [
      [`image/${k}`, { dtype: "f32", dims: shapes[k], data }] as const,
      [`mean/${k}`, { dtype: "f32", dims: [means[k].length], data: means[k] }] as const,
    ]);
    writeTensors(given, Object.fromEntries(tensors));
    runPython([join(import.meta.dirname, "augment.py"), programs, given, found, String(low), String(high)]);
    const theirs = valueOf(readSafetensors(new Uint8Array(readFileSync(found)), found)).tensors;
    folder.remove();
    expect(theirs.size).toBe(Object.keys(operations).length * images.length * strengths.length);
    for (const [o, [name, operation]] of Object.entries(operations).entries()) {
      for (const [k, image] of images.entries()) {
        const [height, width, channels] = shapes[k];
        const mean = Array.from(means[k]);
        const frame = { height, width, channels, low, high, mean, deviation: mean };
        for (const [i, [level, sign]] of strengths.entries()) {
          const ours = image.slice();
          operation(ours, frame, level, sign);
          const other = theirs.get(`${o}/${k}/${i}`)?.data;
          const apart = Math.max(...ours.map((x, j) => Math.abs(x - Number(other?.[j]))));
          expect(apart, `${name} of image ${k} at ${level * sign}`).toBeLessThan(2e-5);
        }
      }
    }
  });
});
