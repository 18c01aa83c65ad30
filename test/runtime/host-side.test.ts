import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluationBatches, trainingBatches } from "../../src/runtime/batches.ts";
import { judge, rank } from "../../src/runtime/classify.ts";
import { frameOf } from "../../src/runtime/data/augment/augment.ts";
import { byteImages } from "../../src/runtime/data/idx.ts";
import { formatSeconds } from "../../src/runtime/progress.ts";
import { generator, permutation } from "../../src/runtime/random.ts";
import { hereRows } from "../../src/runtime/workers/rows.ts";

const samples = byteImages(
  "t",
  Uint8Array.from({ length: 40 }, (_, i) => i),
  Int32Array.from({ length: 10 }, (_, i) => i),
  [2, 2, 1],
  null,
);

describe("the order of samples", () => {
  it("is a permutation, the same for the same seeds and another for others", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), fc.nat(1000), (count, seed, epoch) => {
        const order = permutation(count, seed, epoch);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(permutation(count, seed, epoch)).toEqual(order);
      }),
    );
    expect(permutation(100, 1, 1)).not.toEqual(permutation(100, 1, 2));
    expect(permutation(100, 1, 1)).not.toEqual(permutation(100, 2, 1));
  });

  it("doesn't prefer a place: mean position of each sample is near the middle", () => {
    const sums = new Float64Array(20);
    for (let seed = 0; seed < 4000; seed++)
      permutation(20, seed).forEach((sample, place) => (sums[sample] += place));
    for (const sum of sums) expect(Math.abs(sum / 4000 - 9.5)).toBeLessThan(0.5);
  });

  it("has uniform numbers behind it", () => {
    const next = generator(3, 4);
    const bins = new Float64Array(16);
    for (let i = 0; i < 160_000; i++) bins[Math.floor(16 * next())]++;
    for (const b of bins) expect(Math.abs(b - 10_000)).toBeLessThan(500);
  });
});

describe("batches", () => {
  it("of training depend on seed, epoch and place alone", async () => {
    const { source, shape } = samples;
    const plan = { source, shape, augment: [], frame: frameOf(null, samples), seed: 7 };
    const forwards = trainingBatches(samples, 3, plan, hereRows(plan));
    const seen = [await forwards(0, 0), await forwards(0, 1), await forwards(1, 0)];
    const again = trainingBatches(samples, 3, plan, hereRows(plan));
    expect(await again(1, 0)).toEqual(seen[2]);
    expect(await again(0, 1)).toEqual(seen[1]);
  });

  it("of evaluation hold every sample once, the last one filled up", async () => {
    const labels: number[] = [];
    for await (const batch of evaluationBatches(samples, 4)) {
      if (!batch.ok) throw new Error("no batch");
      expect(batch.value.values.dims).toEqual([4, 2, 2, 1]);
      labels.push(...[...batch.value.labels.data].slice(0, batch.value.count));
    }
    expect(labels).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("judging logits", () => {
  it("agrees with the definition of cross-entropy", () => {
    const logits = [1, 2, 0.5, 3, -1, 0];
    const expected =
      -Math.log(Math.exp(2) / (Math.exp(1) + Math.exp(2) + Math.exp(0.5))) -
      Math.log(Math.exp(-1) / (Math.exp(3) + Math.exp(-1) + 1));
    const { loss, correct } = judge(logits, [1, 1], 3, 2);
    expect(loss).toBeCloseTo(expected, 12);
    expect(correct).toBe(1);
  });

  it("counts NaN logits as wrong", () => {
    expect(judge([NaN, NaN, NaN], [0], 3, 1).correct).toBe(0);
  });

  it("ranks classes by probability", () => {
    const best = rank([0, 2, 1]);
    expect(best.map((b) => b.label)).toEqual([1, 2, 0]);
    expect(best.reduce((s, b) => s + b.probability, 0)).toBeCloseTo(1, 12);
  });
});

it("shows times as clocks", () => {
  expect([formatSeconds(5), formatSeconds(65), formatSeconds(3661), formatSeconds(Infinity)]).toEqual([
    "0:05",
    "1:05",
    "1:01:01",
    "–",
  ]);
});
