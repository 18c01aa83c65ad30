import { describe, expect, it } from "vitest";
import { formatEpoch, formatLive, formatTick, type Tick } from "../../src/runtime/progress.ts";

const tick: Tick = {
  epoch: 3,
  epochs: 120,
  step: 4321,
  steps: 46_800,
  loss: 1.23456,
  accuracy: 0.4567,
  lr: 1e-3,
  gradNorm: 0.000123,
  samplesPerSecond: 1234.5,
  secondsLeft: 4000,
};

describe("the progress line", () => {
  it.each([40, 60, 79, 99, 119, 200])(
    "fits into %i columns, and always ends with the time that is left",
    (columns) => {
      const line = formatLive(tick, columns);
      expect(line.length).toBeLessThanOrEqual(columns);
      expect(line).toContain("loss 1.2346");
      expect(line).toMatch(/ETA 1:06:40$/);
    },
  );

  it("holds loss, accuracy, learning rate, gradient norm and speed in 80 columns", () => {
    const line = formatLive({ ...tick, epochs: 50, secondsLeft: 100 }, 79);
    for (const part of ["epoch  3/50", "loss", "acc  45.7 %", "lr 1.0e-3", "|g| 1.2e-4", "1235/s"])
      expect(line).toContain(part);
  });

  it("shows how far it is where there is room", () => {
    expect(formatLive({ ...tick, step: tick.steps }, 200)).toMatch(/^█{20}  epoch/);
    expect(formatLive({ ...tick, step: 0 }, 200)).toMatch(/^░{20}  epoch/);
  });

  it("keeps its columns from step to step", () => {
    const lengths = [1, 99, 46_800].map((step) => formatTick({ ...tick, step }).length);
    expect(new Set(lengths).size).toBe(1);
  });

  it("of an epoch leaves the test out where there is none", () => {
    const summary = { epoch: 9, epochs: 10, trainLoss: 1, trainAccuracy: 0.5, test: null, seconds: 61 };
    expect(formatEpoch(summary)).toBe("epoch  9/10  train loss 1.0000  acc 50.0 % │ 1:01");
  });
});
