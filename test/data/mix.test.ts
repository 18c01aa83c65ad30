/** Mixup, cutmix, and the random numbers behind them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawMix, mixPair } from "../../src/runtime/data/augment/mix.ts";
import { Stream } from "../../src/runtime/stream.ts";

const mixup = (alpha: number) => ({ name: "mixup", args: { alpha } });
const cutmix = (alpha: number) => ({ name: "cutmix", args: { alpha } });
const shape = [12, 9, 2];
const size = 12 * 9 * 2;

describe("a mixed batch", () => {
  it("takes the share of its own by area or by weight, inside of what the two samples span", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0.1, 0.8, 1, 3), (seed, alpha) => {
        const mix = drawMix([mixup(alpha), cutmix(alpha)], shape, new Stream(seed));
        if (!mix) throw new Error("no mix");
        const [own, other] = [new Float32Array(size).fill(1), new Float32Array(size)];
        mixPair(own, other, mix, shape);
        const part = own.reduce((a, b) => a + b, 0) / size;
        expect(part).toBeCloseTo(mix.share, 5);
        expect(own.every((x, i) => x >= 0 && x <= 1 && Math.abs(x + other[i] - 1) < 1e-6)).toBe(true);
        if (mix.box) expect(own.every((x) => x === 0 || x === 1)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("of equal samples is what it was", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (seed, values) => {
        const random = new Stream(values);
        const sample = Float32Array.from({ length: size }, () => random.uniform());
        const [a, b] = [sample.slice(), sample.slice()];
        const mix = drawMix([mixup(0.8), cutmix(1)], shape, new Stream(seed));
        if (mix) mixPair(a, b, mix, shape);
        expect([a, b]).toEqual([sample, sample]);
      }),
    );
  });

  it("is mixed up as often as cut, never without either, and one batch like no other", () => {
    const kinds = Array.from({ length: 4000 }, (_, i) =>
      drawMix([mixup(0.8), cutmix(1)], shape, new Stream(i)),
    );
    expect(Math.abs(kinds.filter((mix) => mix?.box).length - 2000)).toBeLessThan(150);
    expect(new Set(kinds.map((mix) => mix?.share)).size).toBeGreaterThan(2000);
    expect(drawMix([{ name: "flip", args: {} }], shape, new Stream(1))).toBe(null);
  });

  it("cut with a box of side √(1 − λ) around a pixel anywhere", () => {
    // Of λ ~ Beta(1, 1) uncut boxes cover 1/2 on average; edges take away, and halves are rounded down.
    let covered = 0;
    for (let i = 0; i < 4000; i++) {
      const mix = drawMix([cutmix(1)], [224, 224, 3], new Stream(i));
      covered += (1 - (mix?.share ?? 1)) / 4000;
    }
    expect(covered).toBeGreaterThan(0.25);
    expect(covered).toBeLessThan(0.4);
  });
});

describe("streams", () => {
  it("of beta numbers have its mean and variance", () => {
    for (const alpha of [0.05, 0.2, 0.8, 1, 4]) {
      const random = new Stream(7, Math.round(100 * alpha));
      const draws = Array.from({ length: 20_000 }, () => random.beta(alpha));
      expect(draws.every((x) => x >= 0 && x <= 1)).toBe(true);
      const mean = draws.reduce((a, b) => a + b, 0) / draws.length;
      const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
      // Var Beta(a, a) = 1/(4(2a + 1)).
      expect(mean).toBeCloseTo(0.5, 1.7);
      expect(variance * 4 * (2 * alpha + 1)).toBeGreaterThan(0.96);
      expect(variance * 4 * (2 * alpha + 1)).toBeLessThan(1.04);
    }
  });

  it("of normals have theirs; uniforms fill [0, 1) evenly", () => {
    const random = new Stream(1, 2, 3);
    const normals = Array.from({ length: 40_000 }, () => random.normal());
    const moment = (k: number): number => normals.reduce((a, x) => a + x ** k, 0) / normals.length;
    expect(moment(1)).toBeCloseTo(0, 1.5);
    expect(moment(2)).toBeCloseTo(1, 1.5);
    expect(moment(4)).toBeGreaterThan(2.8);
    expect(moment(4)).toBeLessThan(3.2);
    const bins = new Float64Array(16);
    for (let i = 0; i < 160_000; i++) bins[Math.floor(16 * random.uniform())]++;
    for (const bin of bins) expect(Math.abs(bin - 10_000)).toBeLessThan(500);
  });

  it("of neighbouring seeds have nothing in common, and order counts", () => {
    const firsts = new Set<number>();
    for (let i = 0; i < 2000; i++) for (let j = 0; j < 5; j++) firsts.add(new Stream(3, i, j).uniform());
    expect(firsts.size).toBeGreaterThan(9995);
    expect(new Stream(1, 2).uniform()).not.toBe(new Stream(2, 1).uniform());
  });

  it("is xoshiro128** with its published successor function", () => {
    // From the authors' reference code in C, state 1, 2, 3, 4.
    const random = new Stream(0);
    Object.assign(random, { a: 1, b: 2, c: 3, d: 4 });
    const outputs = Array.from({ length: 4 }, () => random.uniform() * 2 ** 32);
    expect(outputs).toEqual([11520, 0, 5927040, 70819200]);
  });
});
