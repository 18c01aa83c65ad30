/** Proofs round up only where subnormal numbers are numbers: engines must leave them alone. */
import { expect, it } from "vitest";
import { mulUp, nextUp, requireSubnormals } from "../../src/gain/up.ts";
import { Builder } from "../../src/graph/builder.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";

it.each(["onnxruntime-node", "onnxruntime-web", "tfjs-wasm", "tfjs-cpu", "reference"])(
  "%s leaves them alone",
  async (engine) => {
    const choice = await openEngine({ engine, threads: 2 });
    if (!choice.ok) return expect(choice.problem.message).toContain(engine);
    const builder = new Builder();
    const x = builder.input("x", [2]);
    const session = await choice.value.open(builder.graph("g", [{ name: "y", tensor: builder.add(x, x) }]));
    if (!session.ok) throw new Error(session.problem.message);
    await session.value.run({ x: { dtype: "f32", dims: [2], data: Float32Array.of(1, 2) } });
    expect(requireSubnormals).not.toThrow();
    expect(nextUp(0) > 0).toBe(true);
    expect(mulUp(mulUp(1e-200, 1e-200), Infinity)).toBe(Infinity);
    await session.value.release();
    expect(requireSubnormals).not.toThrow();
  },
);
