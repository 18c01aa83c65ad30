import fc from "fast-check";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { fill } from "../../src/runtime/data/samples.ts";
import { parseIdx, readIdxFolder } from "../../src/runtime/data/idx.ts";
import { parseNpy } from "../../src/runtime/data/npy.ts";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../src/runtime/safetensors.ts";

const tensors = (): Map<string, StoredTensor> =>
  new Map<string, StoredTensor>([
    ["a.weight", { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-38, 3e38) }],
    ["labels", { dtype: "I64", shape: [2], data: BigInt64Array.of(5n, -6n) }],
    ["mask", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ["scalar", { dtype: "F64", shape: [], data: Float64Array.of(Math.PI) }],
    ["empty", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
  ]);

/** .npy bytes as NumPy writes them. */
function npy(descr: string, shape: number[], data: Uint8Array): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + "\n";
  const head = Buffer.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    header.length & 255,
    header.length >> 8,
  ]);
  return Buffer.concat([head, Buffer.from(header, "latin1"), data]);
}

function idx(dims: number[], data: number[]): Uint8Array {
  const head = Buffer.alloc(4 + 4 * dims.length);
  head[2] = 8;
  head[3] = dims.length;
  dims.forEach((n, i) => head.writeUInt32BE(n, 4 + 4 * i));
  return Buffer.concat([head, Buffer.from(data)]);
}

describe("safetensors", () => {
  it("reads back what it wrote", () => {
    const file = readSafetensors(writeSafetensors(tensors(), { step: "7" }), "t");
    expect(file.ok).toBe(true);
    if (!file.ok) return;
    expect(file.value.metadata).toEqual({ step: "7" });
    for (const [name, t] of tensors()) expect(file.value.tensors.get(name)).toEqual(t);
  });

  it("reads the authors' golden file", async () => {
    const { readFileSync } = await import("node:fs");
    const path = "test/fixtures/golden/lipsformer-swin-released-mini.safetensors";
    const file = readSafetensors(readFileSync(path), path);
    expect(file.ok && file.value.tensors.get("input")?.shape).toEqual([4, 3, 56, 56]);
  });

  it("names the file in every refusal, whatever was cut or changed, and never throws", () => {
    const bytes = writeSafetensors(tensors(), { step: "7" });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const broken = cut ? bytes.slice(0, at) : Uint8Array.from(bytes, (b, i) => (i === at ? byte : b));
        const file = readSafetensors(broken, "weights.safetensors");
        if (cut) expect(file.ok).toBe(false);
        if (!file.ok) expect(file.problem.message).toContain("weights.safetensors");
      }),
      { numRuns: 500 },
    );
  });
});

describe("npy", () => {
  it("reads float32 and int64 arrays", () => {
    const f = parseNpy(npy("<f4", [2, 2], new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)), "x.npy");
    expect(f.ok && [f.value.shape, [...f.value.data]]).toEqual([
      [2, 2],
      [1, 2, 3, 4],
    ]);
    const i = parseNpy(npy("<i8", [2], new Uint8Array(BigInt64Array.of(3n, -4n).buffer)), "y.npy");
    expect(i.ok && [...i.value.data]).toEqual([3n, -4n]);
  });

  it.each([
    ["cut off", npy("<f4", [3], new Uint8Array(8))],
    ["another dtype", npy("<c8", [1], new Uint8Array(8))],
    ["no magic", new Uint8Array(40)],
    ["empty", new Uint8Array(0)],
  ])("refuses a file that is %s, with its name", (_, bytes) => {
    const file = parseNpy(bytes, "data/x.npy");
    expect(file.ok).toBe(false);
    if (!file.ok) expect(file.problem.message).toContain("data/x.npy");
  });
});

describe("IDX", () => {
  it("reads plain and gzipped files", () => {
    const plain = idx([2, 2], [1, 2, 3, 4]);
    for (const bytes of [plain, gzipSync(plain)]) {
      const file = parseIdx(bytes, "t");
      expect(file.ok && [file.value.dims, [...file.value.data]]).toEqual([
        [2, 2],
        [1, 2, 3, 4],
      ]);
    }
  });

  it("refuses files cut at any byte, gzipped or not, with their name", () => {
    for (const whole of [idx([2, 3], [1, 2, 3, 4, 5, 6]), gzipSync(idx([2, 3], [1, 2, 3, 4, 5, 6]))]) {
      for (let length = 0; length < whole.length; length++) {
        const file = parseIdx(whole.slice(0, length), "train-images.gz");
        expect(file.ok).toBe(false);
        if (!file.ok) expect(file.problem.message).toContain("train-images.gz");
      }
    }
  });

  it("reads the bundled images", async () => {
    const data = readIdxFolder("specs/data/fashion-mnist-mini", "Fashion-MNIST", null);
    expect(data.ok).toBe(true);
    if (!data.ok) return;
    expect([data.value.train.count, data.value.test?.count, data.value.train.classes]).toEqual([
      5000, 1000, 10,
    ]);
    const values = new Float32Array(2 * 784);
    const labels = new Int32Array(2);
    await fill(data.value.train, [0, 4999], values, labels);
    expect(Math.max(...values)).toBe(1);
    expect(Math.min(...values)).toBe(0);
  });
});
