/** What constraints and initialisers guarantee: two tables, the analysis's and the checker's, and the weights themselves. */
import { describe, expect, it } from "vitest";
import { enclosures, numberAbove, numberBelow } from "../../src/certificate/verify/enclosure.ts";
import { factsOf, type Facts } from "../../src/certificate/verify/rules/facts.ts";
import type { Enclosure } from "../../src/certificate/verify/enclosure.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import { Builder } from "../../src/graph/builder.ts";
import { effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { initialWeight } from "../../src/graph/initialise.ts";
import type { Graph, GraphNode } from "../../src/graph/graph.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Constraint, Init, Weight } from "../../src/model/model.ts";
import { randomArray } from "../graph/random-graph.ts";
import { mapNorm } from "../helpers/map-norm.ts";
import { nasty } from "../helpers/nasty-matrices.ts";
import { singularValues } from "../helpers/singular.ts";

const span = { file: "test", start: 0, end: 0 };
const bounds = ["spectral", "frobenius", "rowSum", "rowNorm", "maxAbs", "high"] as const;
const shapes = [
  [5],
  [1, 6],
  [6, 1],
  [4, 4],
  [3, 8],
  [8, 3],
  [4, 2, 3, 3],
  [6, 1, 3, 3],
  [2, 3, 1, 4],
] as const;

const constraints: readonly Constraint[] = [
  { kind: "orthogonal" },
  { kind: "aol" },
  { kind: "unit_rows" },
  { kind: "unit_rms" },
  { kind: "spectral", bound: 0.7 },
  { kind: "rms", bound: 1.5 },
  { kind: "frobenius", bound: 3 },
  { kind: "l1", bound: 0.9 },
  { kind: "operator", bound: 1.25 },
];
const inits: readonly Init[] = [
  { kind: "spectral" },
  { kind: "orthogonal" },
  { kind: "zeros" },
  { kind: "ones" },
  { kind: "trunc_normal", std: 0.3 },
];

const weightOf = (shape: readonly number[], constraint: Constraint, init: Init): Weight => ({
  path: "w",
  shape,
  role: shape.length === 4 ? "kernel" : shape.length === 1 ? "vector" : "matrix",
  init,
  constraint,
  range: null,
  span,
});

/** The norms that facts are about, of entries at hand. */
function measured(shape: readonly number[], entries: Float64Array): Record<(typeof bounds)[number], number> {
  const rows = shape[0];
  const columns = entries.length / rows;
  const each = Array.from({ length: rows }, (_, r) => entries.subarray(r * columns, (r + 1) * columns));
  return {
    spectral: singularValues(entries, rows, columns)[0],
    frobenius: Math.hypot(...entries),
    rowSum: Math.max(...each.map((row) => row.reduce((sum, x) => sum + Math.abs(x), 0))),
    rowNorm: Math.max(...each.map((row) => Math.hypot(...row))),
    maxAbs: Math.max(...entries.map(Math.abs)),
    high: Math.max(...entries),
  };
}

/** Both tables say the same, up to rounding, and the checker's exact number is nowhere above. */
function agree(weight: Weight, phase: "init" | "always"): Facts<Enclosure> {
  const [analysis, checker] = [weightFacts(weight, phase), factsOf(enclosures, weight, phase)];
  for (const key of bounds) {
    const [known, exact] = [analysis[key], numberAbove(checker[key])];
    const name = `${weight.constraint.kind} ${weight.init.kind} [${weight.shape}] ${key}`;
    if (known === Infinity) expect(exact, name).toBe(Infinity);
    else {
      expect(known, name).toBeGreaterThanOrEqual(numberBelow(checker[key]));
      expect(Math.abs(known - exact), name).toBeLessThanOrEqual(1e-13 * Math.abs(exact));
    }
  }
  expect(analysis.operator === undefined).toBe(checker.operator === undefined);
  if (checker.operator) expect(analysis.operator).toBe(numberAbove(checker.operator));
  return checker;
}

function holds(facts: Facts<Enclosure>, found: ReturnType<typeof measured>, name: string): void {
  for (const key of bounds)
    expect(found[key], `${name} ${key}`).toBeLessThanOrEqual(numberAbove(facts[key]) * (1 + 1e-11) + 1e-300);
}

/** With every constant the float32 that an engine makes of it. */
function asStored(graph: Graph): Graph {
  const nodes = graph.nodes.map((node) => {
    if (node.op !== "constant") return node;
    const { data, fill } = (node as GraphNode<"constant">).attributes;
    return { ...node, attributes: { fill, data: Array.from(data, Math.fround) } };
  });
  return { ...graph, nodes };
}

/** Free tensors of any kind and size. */
function* frees(shape: readonly number[]): Iterable<readonly [name: string, entries: Float64Array]> {
  const size = shape.reduce((a, b) => a * b, 1);
  yield* Object.entries(nasty(shape[0], size / shape[0]));
  for (let seed = 1; seed <= 12; seed++)
    yield [`random ${seed}`, randomArray(shape, seed).data.map((x) => x * 10 ** (seed - 4))];
}

describe.each(constraints)("$kind", (constraint) => {
  const least = constraint.kind === "operator" ? 4 : 2;
  it.each(shapes.filter(({ length }) => length >= least).map((shape) => ({ shape })))(
    "[$shape]",
    ({ shape }) => {
      const weight = weightOf(shape, constraint, { kind: "zeros" });
      const facts = agree(weight, "always");
      for (const [name, free] of frees(shape)) {
        const builder = new Builder();
        const tensor = effectiveWeight(builder, weight, builder.input("w", shape));
        const graph = builder.graph("g", [{ name: "out", tensor }]);
        const { out } = interpret(graph, { w: array64(shape, free) });
        holds(facts, measured(shape, out.data), name);
        const stored = interpret(asStored(graph), { w: array64(shape, free) });
        holds(facts, measured(shape, stored.out.data), `${name}, constants as an engine stores them`);
        if (!facts.operator || shape.length < 4 || shape[1] === 1) continue;
        const windows = { stride: 1, dilation: 1, padding: 1 };
        const norm = mapNorm(out.data, shape, 4, windows, 1);
        expect(norm, `${name} as a map`).toBeLessThanOrEqual(numberAbove(facts.operator) * (1 + 1e-11));
      }
    },
  );
});

describe.each(inits)("init $kind", (init) => {
  it.each(shapes.map((shape) => ({ shape })))("[$shape]", ({ shape }) => {
    const weight = weightOf(shape, { kind: "none" }, init);
    const facts = agree(weight, "init");
    for (let seed = 0; seed < 4; seed++) {
      const entries = Float64Array.from(initialWeight(weight, seed));
      holds(facts, measured(shape, entries), `seed ${seed}`);
    }
  });
});
