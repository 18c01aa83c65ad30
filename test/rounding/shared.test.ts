/** What two layers compute alike rounds in each of them. */
import { expect, it } from "vitest";
import { measure } from "../../src/measure/measure.ts";
import { logitErrors } from "../../src/rounding/rounding.ts";
import { modelsOf } from "../helpers/elaborated.ts";

/** The proven error of a float32 engine at one sample. */
function errorOf(body: string): number {
  const text = `lips 1
model M() {
  input x: [1] in [0, 1]
  ${body}
}`;
  const [model] = modelsOf("m.lips", {}, { "m.lips": text });
  const tensors = new Map<string, Float32Array>();
  const weighted = { model, tensors, oracle: measure(tensors).oracle };
  return logitErrors(weighted, [0.7], 0).perSample[0];
}

it("a node inside of one layer that another layer gives is not taken for exact", () => {
  // SiLU is x·sigmoid(x).
  const [first, second] = [errorOf("output logits = x |> Sigmoid"), errorOf("output logits = x |> SiLU")];
  const both = errorOf("let a = x |> Sigmoid\n  let b = x |> SiLU\n  output logits = a + b");
  expect(first).toBeGreaterThan(0);
  expect(both).toBeGreaterThanOrEqual(0.999 * (first + second));
  expect(both).toBeLessThan(2 * (first + second));
});
