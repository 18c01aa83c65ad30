/** RandAugment's operations against Pillow, whose operations timm's are (scripts/pillow-augment.py made the fixture). */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { operations } from "../../src/runtime/data/augment/rand-augment.ts";

interface Fixture {
  readonly cases: readonly {
    readonly shape: readonly [number, number, number];
    readonly pixels: string;
    readonly results: readonly {
      readonly operation: string;
      readonly magnitude: number;
      readonly sign: number;
      readonly pixels: string;
    }[];
  }[];
}

const fixture = JSON.parse(readFileSync("test/fixtures/pillow-augment.json", "utf8")) as Fixture;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** These know levels only, and give the very same ones. */
const exact = new Set(["equalize", "posterize", "solarize", "solarize-add", "invert"]);

it.each(fixture.cases.map((c) => [c.shape[2] === 3 ? "colour" : "grey", c] as const))(
  "every operation on a %s picture is Pillow's, up to its rounding to bytes",
  (_, { shape: [height, width, channels], pixels, results }) => {
    const same = (x: number): number[] => new Array<number>(channels).fill(x);
    const frame = { height, width, channels, low: 0, high: 1, mean: same(128 / 255), deviation: same(0.25) };
    expect(new Set(results.map((r) => r.operation))).toEqual(new Set(Object.keys(operations)));
    for (const { operation, magnitude, sign, pixels: expected } of results) {
      const image = Float32Array.from(bytes(pixels), (b) => b / 255);
      operations[operation](image, frame, magnitude / 10, sign);
      // Two roundings at most: of the grey version that an enhancement blends with, and of the result.
      const allowed = exact.has(operation) ? 1e-3 : 2;
      const worst = Math.max(...bytes(expected).map((b, i) => Math.abs(255 * image[i] - b)));
      expect(worst, `${operation} at ${magnitude}`).toBeLessThan(allowed);
    }
  },
);
