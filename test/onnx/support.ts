import { expect } from "vitest";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { Engine, HostTensor } from "../../src/runtime/engine.ts";
import type { Result } from "../../src/runtime/result.ts";

/** The value, or the diagnostic as a failure of the test. */
export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

/** What the float64 interpreter says. */
export function exact(graph: Graph, feeds: Record<string, HostTensor>) {
  return interpret(
    graph,
    Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, array64(t.dims, t.data)])),
  );
}

export async function runOnce(engine: Engine, graph: Graph, feeds: Record<string, HostTensor>) {
  const session = valueOf(await engine.open(graph));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Every entry within `tolerance` of the largest expected magnitude (at least 1e-3 of 1). */
export function expectClose(
  found: HostTensor,
  expected: { shape: readonly number[]; data: Float64Array },
  tolerance: number,
): void {
  expect([...found.dims]).toEqual([...expected.shape]);
  expect(found.data.length).toBe(expected.data.length);
  let scale = 1e-3;
  for (const x of expected.data) scale = Math.max(scale, Math.abs(x));
  for (let i = 0; i < expected.data.length; i++) {
    const error = Math.abs(found.data[i] - expected.data[i]) / scale;
    if (!(error <= tolerance)) {
      throw new Error(`entry ${i} is ${found.data[i]}, expected ${expected.data[i]} (relative to ${scale})`);
    }
  }
}
