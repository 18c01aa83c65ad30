/**
 * Sums in parts (`inference { longest_sum: N }`) in the generated PyTorch module: it multiplies what the analysed graph
 * multiplies, its logits are no further from the float64 interpreter than is proven, and closer than those of whole sums.
 * Part of `npm run test:parity`.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { sumsOf } from "../../src/graph/passes/parts.ts";
import { plain } from "../../src/measure/effective.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model } from "../../src/model/model.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { logitErrors } from "../../src/rounding/rounding.ts";
import { generator } from "../../src/runtime/random.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { valueOf } from "../onnx/support.ts";
import { all } from "./engines.ts";
import { outcomeOf, python, runCases, scratch, sourcesOf, writeCase, type Tensors } from "./pytorch.ts";

const file = "convolutions.lips";
/** Channels, rows of taps and columns of taps in parts; groups; patches. */
const convolutions = `lips 1
model Convolutions() {
  input x: [24, 24, 1] in [0, 1]
  inference { longest_sum: 16 }
  let patches = x |> Conv(8, kernel: 2, stride: 2, padding: 0) |> MaxMin
  let wide = patches |> Conv(6, kernel: 5, stride: 1) |> ReLU
  let apart = wide |> DepthwiseConv(kernel: 7, padding: 3) |> Conv(2, kernel: 17, padding: 8)
  output logits = apart |> Conv(8, kernel: 3, stride: 2, dilation: 2, padding: 1) |> ReLU |> Flatten |> Linear(5)
}`;
const extra = { [file]: convolutions };

const samples = 32;

const chosen = [
  modelOf("specs/certified-fashion-mlp.lips", "CertifiedFashionMlp", { widths: "[256, 128]" }),
  modelOf("specs/certified-fashion.lips", "CertifiedFashion", { dim: "24", widths: "[128]" }),
  modelOf(file, "Convolutions", {}, extra),
];

/** Initial weights, constraints written out, and random inputs. */
function caseOf(model: Model) {
  const start = initialise(model, 3);
  const { model: free, tensors } = plain(model, start) ?? { model, tensors: start };
  const weights = Object.fromEntries(
    free.weights.map(({ path, shape }) => [
      `param/${path}`,
      { dtype: "f32", dims: shape, data: tensors.get(path) ?? new Float32Array() } as const,
    ]),
  );
  const [{ name, value }] = free.inputs;
  const dims = [samples, ...free.values[value].shape];
  const next = generator(7, 0);
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => next());
  const feeds: Tensors = { [`data/${name}`]: { dtype: "f32", dims, data } };
  const { inference: _, ...whole } = free;
  return { name: model.name, parts: free, whole, tensors, weights, feeds, data };
}

const absent = !all || python === null;

describe.skipIf(absent)("PyTorch, sums in parts", () => {
  const folder = scratch();
  const lines: string[] = [];
  const cases = absent ? [] : chosen.map(caseOf);
  const at = (name: string, how: "parts" | "whole"): string => join(folder.path, how, name);
  const both = cases.flatMap(({ name }) => [at(name, "parts"), at(name, "whole")]);

  beforeAll(() => {
    for (const { name, parts, whole, weights, feeds } of cases)
      for (const [how, model] of [["parts", parts] as const, ["whole", whole] as const]) {
        const sources = sourcesOf(model, extra);
        writeCase(at(name, how), model, { ...defaultRecipe, span: model.span }, weights, [feeds], sources);
      }
    runCases("float32", "run", both);
  }, 300_000);
  afterAll(() => {
    console.info(
      `PyTorch, float32 errors of logits, proven and found (root mean square, largest):\n${lines.join("\n")}`,
    );
    folder.remove();
  });

  test.each(cases)(
    "$name multiplies the pieces of the analysed graph, and the whole in training",
    ({ name, parts, whole }) => {
      const lengths = (model: Model): number[] =>
        sumsOf(valueOf(buildInferenceGraph(model, { batch: samples })))
          .map((text) => Number(text.slice(text.lastIndexOf(" "))))
          .sort((a, b) => a - b);
      const found = JSON.parse(runCases("float32", "sums", [at(name, "parts")])) as {
        train: number[];
        eval: number[];
      };
      expect(found.eval).toEqual(lengths(parts));
      expect(found.train).toEqual(lengths(whole));
    },
  );

  test.each(cases)(
    "$name is as close as proven, and closer than whole sums",
    ({ name, parts, whole, tensors, data }) => {
      const [off, before] = [["parts", parts] as const, ["whole", whole] as const].map(([how, model]) => {
        const proven = logitErrors({ model, tensors, oracle: measure(tensors).oracle }, data, 0);
        const logits = outcomeOf(at(name, how)).get(`output/${model.outputs[0].name}`)?.data ?? [];
        const errors = Array.from(logits, (logit, i) => Math.abs(logit - proven.logits[i]));
        expect(errors).toHaveLength(proven.logits.length);
        errors.forEach((error, i) => {
          const sample = Math.floor((i * samples) / errors.length);
          expect(error).toBeLessThanOrEqual(proven.perSample[sample] + proven.exact[sample]);
        });
        const bound = Math.max(...proven.perSample);
        const mean = Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
        const show = [bound, mean, Math.max(...errors)].map((x) => x.toExponential(1)).join("  ");
        lines.push(`${`${name}, ${how}`.padEnd(28)} ${show}`);
        return { bound, mean };
      });
      expect(off.bound).toBeLessThan(before.bound);
      expect(off.mean).toBeLessThan(before.mean);
    },
  );

  test("goes through torch.compile in one graph", () => {
    // Not the convolutions: the Flatten behind the last one, in parts, fails under aot_eager ("view size is not compatible",
    // PyTorch 2.15). Why isn't known; each convolution by itself compiles.
    const paths = cases.slice(0, 2).map(({ name }) => at(name, "parts"));
    const said = runCases("float32", "aot_eager", paths);
    lines.push(said.trim());
    const apart = [...said.matchAll(/graph: (\S+) apart/g)].map(([, x]) => Number(x));
    expect(apart).toEqual(new Array(paths.length).fill(0));
  }, 300_000);
});
