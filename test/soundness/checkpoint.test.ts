/** `always` speaks of what training can reach: a file whose numbers lie elsewhere is refused. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { encodeCheckpoint, readCheckpoint } from "../../src/runtime/checkpoint.ts";
import { modelOf } from "../elaborate/host.ts";

it("a checkpoint with a number outside of a declared range is refused, NaN included", () => {
  const model = modelOf(`model M { input x: [4] in [0, 1]
    output y = x |> Scale(learned(1/8, shape: [4], in: [0, 1/4])) }`);
  const [{ path: name }] = model.weights;
  const expected = new Map([[`param/${name}`, [4]]]);
  const file = join(mkdtempSync(join(tmpdir(), "lipsc-")), "weights.safetensors");
  const read = (numbers: readonly number[]) => {
    const state = new Map([
      [`param/${name}`, { dtype: "f32" as const, dims: [4], data: Float32Array.from(numbers) }],
    ]);
    writeFileSync(file, encodeCheckpoint(model, { step: 1, epochLoss: 0, epochCorrect: 0, state }));
    return readCheckpoint(file, model, expected);
  };
  expect(read([0, 0.25, 0.1, 0.2]).ok).toBe(true);
  for (const numbers of [
    [0, 0.26, 0.1, 0.2],
    [0, 0.1, -1e-7, 0],
    [NaN, 0, 0, 0],
  ]) {
    const result = read(numbers);
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.problem.message).toContain("outside of its declared range [0, 0.25]");
  }
});

it("a variance below 0 is refused: after its root every value is no number, whatever a softmax's range says", () => {
  const model = modelOf(
    "model M { input x: [2] in [0, 1]\n    output y = x |> BatchNorm |> Softmax(tau: 1) }",
  );
  const shapes = new Map(model.weights.map((w) => [`param/${w.path}`, w.shape]));
  const file = join(mkdtempSync(join(tmpdir(), "lipsc-")), "weights.safetensors");
  const read = (variance: number) => {
    const state = new Map(
      model.weights.map(({ path, shape }) => {
        const data = new Float32Array(2).fill(path.endsWith("running_var") ? variance : 0);
        return [`param/${path}`, { dtype: "f32" as const, dims: shape, data }];
      }),
    );
    writeFileSync(file, encodeCheckpoint(model, { step: 1, epochLoss: 0, epochCorrect: 0, state }));
    return readCheckpoint(file, model, shapes);
  };
  expect(read(0).ok).toBe(true);
  const negative = read(-1e-7);
  expect(!negative.ok && negative.problem.message).toContain("outside of its declared range [0, 3.4");
});
