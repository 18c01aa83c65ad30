/** What constraints make of stored weights, computed once by an engine: for searches that run a network many times. */
import { buildEffectiveGraph, isConstrained } from "../graph/effective.ts";
import type { Model } from "../model/model.ts";
import type { Engine, HostTensor } from "./engine.ts";
import { good, type Result } from "./result.ts";

/** By graph input name, the weights that the network uses, as this engine computes them in float32. */
export async function effectiveWeights(
  model: Model,
  weights: ReadonlyMap<string, HostTensor>,
  engine: Engine,
): Promise<Result<Record<string, HostTensor>>> {
  const used = Object.fromEntries(weights);
  const constrained = model.weights.filter(isConstrained);
  if (constrained.length === 0) return good(used);
  const graph = buildEffectiveGraph(model);
  if (!graph.ok) return graph;
  const session = await engine.open(graph.value);
  if (!session.ok) return session;
  const names = constrained.map(({ path }) => `param/${path}`);
  const made = await session.value.run(Object.fromEntries(names.map((name) => [name, used[name]])));
  await session.value.release();
  for (const { path } of constrained) used[`param/${path}`] = made[`effective/${path}`];
  return good(used);
}
