/** What engines do with quotients, roots and elementary functions, held against the units that the proof grants them. */
import { describe, expect, it } from "vitest";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import type { HostTensor } from "../../src/graph/graph.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { float32, float64 } from "../../src/rounding/arithmetic.ts";
import { runningErrors, storedValue } from "../../src/rounding/running.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { runOnce, valueOf } from "../onnx/support.ts";

const count = 1 << 11;

/** Float32 numbers of all sizes between 2^low and 2^high, both signs where wanted, and round ones among them. */
function spread(low: number, high: number, signed: boolean): Float32Array {
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, (_, i) => {
    const size =
      i % 8 === 0 ? 2 ** Math.floor(low + (high - low) * next()) : 2 ** (low + (high - low) * next());
    return signed && next() < 0.5 ? -size : size;
  });
}

type Make = (b: Builder, x: Tensor) => Tensor;
const functions: Readonly<Record<string, readonly [Make, Float32Array]>> = {
  exp: [(b, x) => b.exp(x), spread(-20, 6.3, true)],
  log: [(b, x) => b.log(x), spread(-100, 100, false)],
  sqrt: [(b, x) => b.sqrt(x), spread(-100, 100, false)],
  erf: [(b, x) => b.erf(x), spread(-20, 3, true)],
  tanh: [(b, x) => b.tanh(x), spread(-20, 5, true)],
  sigmoid: [(b, x) => b.sigmoid(x), spread(-20, 6, true)],
  gelu: [(b, x) => b.gelu(x), spread(-20, 5, true)],
  "gelu by tanh": [(b, x) => b.gelu(x, "tanh"), spread(-20, 5, true)],
  quotient: [(b, x) => b.div(1, x), spread(-60, 60, true)],
  product: [(b, x) => b.mul(x, 0.1), spread(-60, 60, true)],
  softmax: [(b, x) => b.softmax(b.reshape(x, [count / 32, 32])), spread(-6, 5, true)],
};

/** An entry's own bound: each function is analysed at one entry by itself. */
function boundOf(make: Make, x: number): { centre: number; engine: number; exact: number } {
  const b = new Builder();
  const graph = b.graph("one", [{ name: "y", tensor: make(b, b.input("x", [1])) }]);
  const value = storedValue([1], Float64Array.of(x), [float64, float32], false);
  const { centre, tracks } = runningErrors(graph, { x: value }, [float64, float32]).y;
  return { centre: centre[0], engine: tracks[1].linf, exact: tracks[0].linf };
}

/** Once for all engines. */
const bounds = new Map<string, readonly ReturnType<typeof boundOf>[]>();

function boundsOf(key: string): readonly ReturnType<typeof boundOf>[] {
  const [make, xs] = functions[key];
  let found = bounds.get(key);
  if (!found) bounds.set(key, (found = Array.from(xs, (x) => boundOf(make, x))));
  return found;
}

const engines = ["onnxruntime-node", "onnxruntime-web", "tfjs-wasm"];

describe.each(engines)("%s", (name) => {
  it.each(Object.keys(functions))("%s within its units", async (key) => {
    const engine = valueOf(await openEngine({ engine: name }));
    const [make, xs] = functions[key];
    const b = new Builder();
    const graph = b.graph("all", [{ name: "y", tensor: make(b, b.input("x", [count])) }]);
    const x: HostTensor = { dtype: "f32", dims: [count], data: xs };
    const found = (await runOnce(engine, graph, { x })).y.data;
    let worst = 0;
    if (key === "softmax") {
      const value = storedValue([count], Float64Array.from(xs), [float64, float32], false);
      const { centre, tracks } = runningErrors(graph, { x: value }, [float64, float32]).y;
      centre.forEach((y, i) => (worst = Math.max(worst, Math.abs(found[i] - y) / tracks[1].linf)));
    } else {
      boundsOf(key).forEach(({ centre, engine: bound }, i) => {
        if (Number.isFinite(bound)) worst = Math.max(worst, Math.abs(found[i] - centre) / bound);
      });
    }
    expect(worst).toBeLessThan(1);
    // Every function rounds: a bound that nothing comes near would be of no use as a test.
    expect(worst).toBeGreaterThan(0.005);
  });
});

it("the float64 interpreter is as near to real arithmetic as it says", () => {
  // Against the same function by other ways: series of exp and erf, and identities.
  const b = new Builder();
  const x = b.input("x", [1]);
  const graph = b.graph("both", [
    { name: "erf", tensor: b.erf(x) },
    { name: "tanh", tensor: b.tanh(x) },
    { name: "sigmoid", tensor: b.sigmoid(x) },
  ]);
  for (const v of [-5.5, -2.6, -2.4, -1, -0.3, 1e-5, 0.7, 2.49, 2.51, 4]) {
    const { erf, tanh, sigmoid } = interpret(graph, { x: array64([1], [v]) });
    expect(Math.abs(erf.data[0] - erfBySeries(v))).toBeLessThan(float64.absolute.erf * float64.u);
    const e = Math.expm1(2 * v);
    expect(Math.abs(tanh.data[0] - e / (e + 2))).toBeLessThan(2 * float64.absolute.tanh * float64.u);
    expect(Math.abs(sigmoid.data[0] - 0.5 - Math.tanh(v / 2) / 2)).toBeLessThan(
      float64.absolute.sigmoid * float64.u,
    );
  }
});

/** 2/√π Σ (−1)ⁿ x^(2n+1)/(n!(2n+1)) in whole numbers of 2^−200. */
function erfBySeries(v: number): number {
  const places = 200n;
  const fixed = BigInt(Math.round(v * 2 ** 50)) << (places - 50n);
  const exact = Number(fixed >> (places - 50n)) / 2 ** 50;
  if (exact !== v) return erfBySeries(exact);
  const square = (fixed * fixed) >> places;
  let [term, sum] = [fixed, fixed];
  for (let n = 1n; term !== 0n && n < 2000n; n++) {
    term = -((term * square) >> places) / n;
    sum += term / (2n * n + 1n);
  }
  return (Number(sum >> (places - 80n)) / 2 ** 80) * (2 / Math.sqrt(Math.PI));
}
