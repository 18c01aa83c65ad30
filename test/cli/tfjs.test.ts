import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lipsc, metricsOf, start, stepReached, until } from "./run.ts";

const fresh = (): string => join(mkdtempSync(join(tmpdir(), "lipsc-tfjs-")), "run");
const options = ["--engine", "tfjs-wasm", "--epochs", "1", "--batch", "250"];
const train = ["train", "test/fixtures/tiny-fashion.lips", ...options];

it("trains on TensorFlow.js, stops and goes on to the same bytes, and evaluates", async () => {
  const [whole, stopped] = [fresh(), fresh()];
  const done = await lipsc(...train, "--out", whole);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/engine {3}tfjs-wasm 4\.22\.0 on WebAssembly on the CPU with SIMD, 1 thread/);

  const { child, finished } = start([...train, "--out", stopped]);
  await until(child, () => stepReached(stopped) >= 5);
  child.kill("SIGINT");
  expect((await finished).code).toBe(130);
  expect(await lipsc("train", "--resume", stopped)).toMatchObject({ code: 0, stderr: "" });
  const weights = (folder: string): Buffer => readFileSync(join(folder, "model.safetensors"));
  expect(weights(stopped).equals(weights(whole))).toBe(true);
  expect(metricsOf(stopped)).toEqual(metricsOf(whole));

  const [here, there] = await Promise.all(
    ["tfjs-wasm", "onnxruntime-node"].map(async (engine) => {
      const { stdout } = await lipsc("eval", whole, "--engine", engine, "--format", "json");
      return JSON.parse(stdout) as { engine: string; accuracy: number; loss: number };
    }),
  );
  expect(here.engine).toBe("tfjs-wasm");
  expect(here.loss).toBeCloseTo(there.loss, 4);
});
