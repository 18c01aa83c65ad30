/** The authors' released LipsFormer in PyTorch: their weights in our module give their logits. Part of `npm run test:parity`. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { HostTensor } from "../../src/graph/graph.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { goldenSpec, readGolden } from "../helpers/golden.ts";
import { all } from "./engines.ts";
import { outcomeOf, python, runCases, scratch, writeCase, type Tensors } from "./pytorch.ts";

describe.skipIf(!all || python === null)("the authors' released LipsFormer in PyTorch", () => {
  test("gives their logits, and the gradients of their loss", () => {
    const golden = readGolden();
    const model = modelOf(goldenSpec, "LipsFormerSwinReleasedMini");
    const weights: Tensors = Object.fromEntries(
      model.weights.map(({ path, shape }): [string, HostTensor] => [
        `param/${path}`,
        { dtype: "f32", dims: shape, data: Float32Array.from(golden.weights.get(path)?.data ?? [], Number) },
      ]),
    );
    const feeds: Tensors = {
      "data/image": { dtype: "f32", dims: golden.input.shape, data: Float32Array.from(golden.input.data) },
      labels: { dtype: "i32", dims: [golden.labels.length], data: Int32Array.from(golden.labels) },
    };
    const folder = scratch();
    const recipe = { ...defaultRecipe, span: model.span, batch: golden.labels.length };
    const at = writeCase(join(folder.path, "golden"), model, recipe, weights, [feeds]);
    runCases("float32", "train", [at]);
    const found = outcomeOf(at);
    folder.remove();
    const logits = found.get("output/logits")?.data ?? [];
    expect(logits).toHaveLength(golden.logits.data.length);
    const apart = Math.max(...Array.from(logits, (x, i) => Math.abs(x - Number(golden.logits.data[i]))));
    let worst = 0;
    for (const [path, { data }] of golden.gradients) {
      const ours = found.get(`grad/${path}`)?.data ?? [];
      const exact = Array.from<number | bigint, number>(data, Number);
      const size = Math.hypot(...exact);
      worst = Math.max(worst, Math.hypot(...exact.map((g, i) => g - ours[i])) / size);
    }
    console.info(
      `PyTorch, golden file: logits ${apart.toExponential(1)}, gradients ${worst.toExponential(1)} apart`,
    );
    expect(apart).toBeLessThan(1e-4);
    expect(worst).toBeLessThan(1e-3);
  }, 120_000);
});
