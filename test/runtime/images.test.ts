import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeWhole } from "../../src/runtime/data/decode.ts";
import { readImageFolder } from "../../src/runtime/data/images.ts";
import { fill } from "../../src/runtime/data/samples.ts";

/** train/ and test/ with two classes of plain grey and bright pictures. */
async function folder(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "lipsc-images-"));
  for (const part of ["train", "test"]) {
    for (const [name, level] of [
      ["bright", 200],
      ["dark", 50],
    ] as const) {
      mkdirSync(join(root, part, name), { recursive: true });
      for (let i = 0; i < 3; i++) {
        const image = sharp({
          create: { width: 20, height: 10, channels: 3, background: { r: level, g: level, b: level } },
        });
        await image.toFile(join(root, part, name, i === 0 ? "a.jpg" : `${i}.png`));
      }
    }
  }
  return root;
}

describe("an image folder", () => {
  it("gives the classes by name, PNG and JPEG, at the input's size", async () => {
    const data = readImageFolder(await folder(), [8, 8, 3]);
    expect(data.ok).toBe(true);
    if (!data.ok) return;
    const { train, test } = data.value;
    expect([train.count, test?.count, train.classNames]).toEqual([6, 6, ["bright", "dark"]]);
    const values = new Float32Array(6 * 192);
    const labels = new Int32Array(6);
    expect((await fill(train, [0, 1, 2, 3, 4, 5], values, labels)).ok).toBe(true);
    expect([...labels]).toEqual([0, 0, 0, 1, 1, 1]);
    // The second time from memory.
    const again = new Float32Array(values.length);
    expect((await fill(train, [0, 1, 2, 3, 4, 5], again, labels)).ok).toBe(true);
    expect(again).toEqual(values);
    for (let i = 0; i < 3 * 192; i++) expect(Math.abs(values[i] - 200 / 255)).toBeLessThan(0.02);
  });

  it("turns colour into one channel where the input has one", async () => {
    const root = await folder();
    const pixels = await decodeWhole(join(root, "train", "dark", "1.png"), [4, 4, 1]);
    expect(pixels.ok && [pixels.value.length, pixels.value[0]]).toEqual([16, 50]);
  });

  it("refuses a truncated image with its name, and never gives half a picture", async () => {
    const root = await folder();
    for (const file of ["a.jpg", "1.png"]) {
      const path = join(root, "train", "dark", file);
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length * 0.6)));
      const pixels = await decodeWhole(path, [8, 8, 3]);
      expect(pixels.ok).toBe(false);
      if (!pixels.ok) expect(pixels.problem.message).toContain(path);
    }
  });

  it("refuses a class that training doesn't know, and an empty folder", async () => {
    const root = await folder();
    mkdirSync(join(root, "test", "purple"));
    const strange = readImageFolder(root, [8, 8, 3]);
    expect(!strange.ok && strange.problem.message).toContain("purple");
    const empty = readImageFolder(mkdtempSync(join(tmpdir(), "lipsc-empty-")), [8, 8, 3]);
    expect(empty.ok).toBe(false);
  });
});
