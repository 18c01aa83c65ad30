import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lipsc, lipscWith } from "./run.ts";

const spec = "test/fixtures/tiny-fashion.lips";
const fresh = (): string => join(mkdtempSync(join(tmpdir(), "lipsc-run-")), "run");
const hidden = ["--import", "./test/fixtures/without-onnxruntime-node.mjs"];

describe("the engine", () => {
  it("falls back to WebAssembly where the native package is absent, and says so (engine-fallback)", async () => {
    const done = await lipscWith(hidden, "train", spec, "--out", fresh(), "--epochs", "1");
    expect(done.code).toBe(0);
    expect(done.stderr).toContain("LIPS0705");
    expect(done.stdout).toMatch(/engine {3}onnxruntime-web [\d.]+ on WebAssembly/);
  });

  it("is never another one than was asked for (engine-missing)", async () => {
    const refused = await lipscWith(hidden, "train", spec, "--out", fresh(), "--engine", "onnxruntime-node");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("LIPS0701");
    expect(refused.stdout).not.toContain("epoch");
  });
});

it("a batch larger than the data is refused (too-few-samples)", async () => {
  const refused = await lipsc("train", spec, "--out", fresh(), "--batch", "5001");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("LIPS0611");
});
