/**
 * Constrained weights written out. A graph that computes constraints by itself, in float32, differs from the proven one by
 * as much as rounding can add in long products (‖δW‖ up to 0.06 for an orthogonal 784 × 256 matrix, where float64 proves
 * 1e−10). So where rounding is counted, they are computed once, in float64, and what is certified and run is the network of
 * these float32 numbers. trust: T14
 */
import { buildInferenceGraph } from "../graph/inference.ts";
import { isConstrained, plain } from "../measure/effective.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { good, type Result } from "../runtime/result.ts";
import type { Trained } from "./trained.ts";

/** Itself where no weight has a constraint; the session is opened anew else. */
export async function writtenOut(trained: Trained): Promise<Result<Trained>> {
  const { model, weights, engine, batch } = trained;
  if (!isConstrained(model)) return good(trained);
  const tensors = new Map(model.weights.map(({ path }) => [path, weights.get(`param/${path}`)?.data ?? []]));
  const made = plain(model, tensors);
  if (!made) return good(trained);
  const graph = buildInferenceGraph(made.model, { batch });
  if (!graph.ok) return graph;
  const session = await engine.open(graph.value);
  if (!session.ok) return session;
  await trained.session.release();
  const effective = new Map(weights);
  for (const { path, shape } of made.model.weights) {
    const data = made.tensors.get(path) ?? new Float32Array(0);
    effective.set(`param/${path}`, { dtype: "f32", dims: shape, data } satisfies HostTensor);
  }
  return good({ ...trained, model: made.model, weights: effective, session: session.value });
}
