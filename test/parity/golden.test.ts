/** The authors' released LipsFormer (test/fixtures/golden) on every engine: their logits, and the gradients of their loss. */
import { afterAll, expect, test } from "vitest";
import { defaultRecipe } from "../../src/model/recipe.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { goldenSpec, readGolden } from "../helpers/golden.ts";
import { parityEngine, parityEngines } from "./engines.ts";
import { gradientGraph } from "./problem.ts";

const golden = readGolden();
const model = modelOf(goldenSpec, "LipsFormerSwinReleasedMini");
const graph = gradientGraph(model, { ...defaultRecipe, batch: golden.labels.length, span: model.span });

const found: string[] = [];
afterAll(() => console.info(`largest distances from the authors' numbers:\n${found.join("\n")}`));

test.each(parityEngines)("on %s", async (name) => {
  const engine = await parityEngine(name);
  if ("absent" in engine) {
    found.push(`${name.padEnd(18)} skipped: ${engine.absent}`);
    return;
  }
  const session = await engine.open(graph);
  if (!session.ok) throw new Error(session.problem.message);
  const outputs = await session.value.run(feeds());
  await session.value.release();
  const logits = relative(outputs.logits, golden.logits.data);
  let [gradient, worst] = [0, ""];
  for (const [path, { data }] of golden.gradients) {
    const apart = relative(outputs[`grad/${path}`], data);
    if (!(apart <= gradient)) [gradient, worst] = [apart, path];
  }
  found.push(`${name.padEnd(18)} logits ${logits.toExponential(1)}  gradients ${gradient.toExponential(1)}`);
  expect(logits).toBeLessThan(1e-4);
  expect(gradient, worst).toBeLessThan(1e-3);
  expect(outputs.loss.data[0]).toBeCloseTo(golden.loss, 5);
});

function feeds(): Record<string, HostTensor> {
  const f32 = (dims: readonly number[], data: ArrayLike<number>): HostTensor => ({
    dtype: "f32",
    dims,
    data: Float32Array.from(data),
  });
  const weights = model.weights.map(({ path, shape }) => {
    const tensor = golden.weights.get(path);
    if (tensor === undefined) throw new Error(`no weight ${path}`);
    return [`param/${path}`, f32(shape, Array.from(tensor.data, Number))] as const;
  });
  return {
    ...Object.fromEntries(weights),
    "data/image": f32(golden.input.shape, golden.input.data),
    labels: { dtype: "i32", dims: [golden.labels.length], data: Int32Array.from(golden.labels) },
  };
}

/** Largest difference over the largest entry. */
function relative({ data }: HostTensor, want: ArrayLike<number | bigint>): number {
  let [most, size] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    const apart = Math.abs(data[i] - Number(want[i]));
    if (!(apart <= most)) most = apart;
    size = Math.max(size, Math.abs(Number(want[i])));
  }
  return most / size;
}
