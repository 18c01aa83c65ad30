/** A value that two layers compute alike rounds in each of them. */
import { expect, it } from "vitest";
import { measure } from "../../src/measure/measure.ts";
import { logitErrors } from "../../src/rounding/rounding.ts";
import { modelsOf } from "../helpers/elaborated.ts";

/** The proven error of a float32 engine at one sample. */
function errorOf(body: string): number {
  const text = `lips 1
model M() {
  input x: [3] in [0, 1]
  ${body}
}`;
  const [model] = modelsOf("m.lips", {}, { "m.lips": text });
  const tensors = new Map<string, Float32Array>();
  const weighted = { model, tensors, oracle: measure(tensors).oracle };
  return logitErrors(weighted, [0.1, 0.7, 0.9], 0).perSample[0];
}

it("equal nodes of two layers are not taken for one rounding", () => {
  const once = errorOf("output logits = x |> Tanh");
  const twice = errorOf("let a = x |> Tanh\n  let b = x |> Tanh\n  output logits = a + b");
  expect(once).toBeGreaterThan(0);
  expect(twice).toBeGreaterThanOrEqual(2 * once);
  expect(twice).toBeLessThan(4 * once);
});
