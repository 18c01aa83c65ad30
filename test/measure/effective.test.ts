import { describe, expect, it } from "vitest";
import type { Constraint, Weight } from "../../src/model/model.ts";
import { Builder } from "../../src/graph/builder.ts";
import { effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { effective, effectiveWeights, plain } from "../../src/measure/effective.ts";
import { storedFacts } from "../../src/measure/weights.ts";
import { spectralNormUpper } from "../../src/gain/spectral.ts";
import { generator } from "../../src/runtime/random.ts";
import * as f from "./fixed.ts";
import { inFixed } from "./fixed-graph.ts";

const span = { file: "test", start: 0, end: 0 };

function weight(shape: readonly number[], constraint: Constraint, role: Weight["role"] = "matrix"): Weight {
  return { path: "w", shape, role, init: { kind: "zeros" }, constraint, range: null, span };
}

const tiny = f.fixed(1e-30);

/** What each constraint is in real arithmetic, written again from its definition. */
const exactly: Record<string, (w: f.FixedMatrix) => f.FixedMatrix> = {
  unit_rows: (free) => {
    const w = sized(free, "rows");
    const lengths = rows(w).map((r) => f.total(w.columns, (c) => f.times(w.at(r, c), w.at(r, c))));
    return scaled(w, (r) => (lengths[r] > tiny ? f.over(f.unit, f.root(lengths[r])) : 0n));
  },
  unit_rms: (free) => {
    const w = sized(free, "rows");
    const lengths = rows(w).map((r) => f.total(w.columns, (c) => f.times(w.at(r, c), w.at(r, c))));
    const mean = (r: number): bigint => f.times(lengths[r], f.fixed(1 / w.columns));
    return scaled(w, (r) => (mean(r) > tiny ? f.over(f.unit, f.root(mean(r))) : 0n));
  },
  frobenius: (w) => {
    const norm = f.root(
      f.total(w.rows * w.columns, (i) => {
        const x = w.at(Math.floor(i / w.columns), i % w.columns);
        return f.times(x, x);
      }),
    );
    return scaled(w, () => f.over(f.fixed(1.5), f.larger(norm, f.fixed(1.5))));
  },
  aol: (free) => {
    const w = sized(free, "matrix");
    const gram = f.product(f.turned(w), w);
    const sums = Array.from({ length: w.columns }, (_, j) =>
      f.total(w.columns, (i) => f.size(gram.at(i, j))),
    );
    return f.matrix(w.rows, w.columns, (r, c) =>
      sums[c] > tiny ? f.times(w.at(r, c), f.over(f.unit, f.root(sums[c]))) : 0n,
    );
  },
  orthogonal: (w) => {
    let most = 0n;
    for (const r of rows(w)) for (let c = 0; c < w.columns; c++) most = f.larger(most, f.size(w.at(r, c)));
    const height = f.larger(f.times(most, f.fixed(1e-12)), f.unit);
    const sized = scaled(w, () => f.over(f.unit, height));
    const gram = (x: f.FixedMatrix) =>
      x.rows < x.columns ? f.product(x, f.turned(x)) : f.product(f.turned(x), x);
    const g = gram(sized);
    let largest = 0n;
    for (const r of rows(g))
      largest = f.larger(
        largest,
        f.total(g.columns, (c) => f.size(g.at(r, c))),
      );
    const square = f.larger(largest / 2n, f.unit);
    const x = scaled(sized, () => f.over(f.unit, f.root(square)));
    const cube = x.rows < x.columns ? f.product(gram(x), x) : f.product(x, gram(x));
    return f.matrix(x.rows, x.columns, (r, c) => (3n * x.at(r, c) - cube.at(r, c)) / 2n);
  },
};

/** Divided by its largest entry, or each row by its own, at least 1e-12. */
function sized(w: f.FixedMatrix, of: "matrix" | "rows"): f.FixedMatrix {
  const most = rows(w).map((r) => {
    let largest = 0n;
    for (let c = 0; c < w.columns; c++) largest = f.larger(largest, f.size(w.at(r, c)));
    return largest;
  });
  const all = most.reduce(f.larger, 0n);
  return f.matrix(w.rows, w.columns, (r, c) =>
    f.over(w.at(r, c), f.larger(of === "rows" ? most[r] : all, f.fixed(1e-12))),
  );
}

function rows(w: f.FixedMatrix): number[] {
  return Array.from({ length: w.rows }, (_, r) => r);
}
function scaled(w: f.FixedMatrix, by: (r: number) => bigint): f.FixedMatrix {
  return f.matrix(w.rows, w.columns, (r, c) => f.times(w.at(r, c), by(r)));
}

const shapes: readonly (readonly [number, number])[] = [
  [1, 1],
  [3, 5],
  [6, 6],
  [9, 4],
  [2, 40],
];

/** Free matrices, nasty ones among them. */
function* matrices([m, n]: readonly [number, number]): Generator<readonly [string, Float32Array]> {
  const random = generator(7, m * 100 + n);
  const make = (name: string, at: (r: number, c: number) => number) =>
    [name, Float32Array.from({ length: m * n }, (_, i) => at(Math.floor(i / n), i % n))] as const;
  const noise = (): number => 2 * random() - 1;
  for (let k = 0; k < 4; k++) yield make("random", noise);
  yield make("huge", () => 1e30 * noise());
  yield make("tiny", () => 1e-25 * noise());
  yield make("subnormal", () => 1e-42 * noise());
  yield make("zero", () => 0);
  yield make("all equal", () => 0.3);
  yield make("rank one", (r, c) => (r + 1) * (c - 1.5));
  yield make("unit", (r, c) => (r === c ? 1 : 0));
  yield make("nearly a unit", (r, c) => (r === c ? 1 : 0) + 1e-6 * noise());
  yield make("rows of all sizes", (r) => noise() * 10 ** (3 * (r % 7) - 9));
  yield make("one row is zero", (r) => (r === 0 ? 0 : noise()));
}

function constraintOf(kind: string): Constraint {
  return (kind === "frobenius" ? { kind, bound: 1.5 } : { kind }) as Constraint;
}

describe("effective weights", () => {
  it.each(Object.keys(exactly))(
    "%s: within the proven error of real arithmetic, and not far from it",
    (kind) => {
      let closest = 0;
      for (const shape of shapes) {
        for (const [name, free] of matrices(shape)) {
          const found = effective(weight(shape, constraintOf(kind)), free);
          if (!found) {
            // Squares of huge entries may leave float64's range of proof; never anything else.
            expect(name).toBe("huge");
            continue;
          }
          const exact = exactly[kind](
            f.matrix(shape[0], shape[1], (r, c) => f.fixed(free[r * shape[1] + c])),
          );
          let [linf, row, l2] = [0, 0, 0];
          for (let r = 0; r < shape[0]; r++) {
            let squares = 0;
            for (let c = 0; c < shape[1]; c++) {
              const off = Math.abs(f.toNumber(f.fixed(found.entries[r * shape[1] + c]) - exact.at(r, c)));
              linf = Math.max(linf, off);
              squares += off * off;
            }
            row = Math.max(row, Math.sqrt(squares));
            l2 = Math.hypot(l2, Math.sqrt(squares));
          }
          // The reference itself is good to about 2^−290.
          const { error } = found;
          expect(linf, `${name} ${shape}`).toBeLessThanOrEqual(error.linf + 1e-80);
          expect(row, `${name} ${shape}`).toBeLessThanOrEqual(error.row * (1 + 1e-9) + 1e-80);
          expect(l2, `${name} ${shape}`).toBeLessThanOrEqual(error.l2 * (1 + 1e-9) + 1e-80);
          if (name === "random") expect(error.l2).toBeLessThan(1e-12);
          if (error.l2 > 0) closest = Math.max(closest, l2 / error.l2);
        }
      }
      // Not so loose that nothing could break it: a hundredth of the bound would be broken.
      expect(closest).toBeGreaterThan(0.01);
    },
  );

  const others: readonly (readonly [string, readonly number[], Weight["role"]])[] = [
    ["spectral", [6, 9], "matrix"],
    ["rms", [7, 4], "matrix"],
    ["l1", [5, 1, 3, 3], "depthwise"],
    ["operator", [3, 2, 3, 3], "kernel"],
    ["orthogonal", [4, 2, 2, 2], "kernel"],
    ["unit_rows", [3, 7], "matrix"],
    ["aol", [5, 8], "matrix"],
  ];

  it.each(others)("%s: within its error of the same graph in 300 binary places", (kind, shape, role) => {
    const constraint = {
      kind,
      ...(["spectral", "rms", "l1", "operator"].includes(kind) ? { bound: 0.7 } : {}),
    };
    const made = weight(shape, constraint as Constraint, role);
    const builder = new Builder();
    const tensor = effectiveWeight(builder, made, builder.input("free", shape));
    const graph = builder.graph("exact", [{ name: "w", tensor }]);
    let [closest, known] = [0, 0];
    for (const [name, free] of matrices([shape[0], shape.slice(1).reduce((a, b) => a * b, 1)])) {
      const found = effective(made, free);
      if (!found) continue;
      known++;
      const exact = inFixed(graph, { free }).data;
      let squares = 0;
      for (let i = 0; i < exact.length; i++) {
        const off = Math.abs(f.toNumber(f.fixed(found.entries[i]) - exact[i]));
        expect(off, name).toBeLessThanOrEqual(found.error.linf + 1e-60);
        squares += off * off;
      }
      expect(Math.sqrt(squares), name).toBeLessThanOrEqual(found.error.l2 * (1 + 1e-9) + 1e-60);
      if (name === "random") {
        expect(found.error.l2).toBeLessThan(1e-9);
        closest = Math.max(closest, Math.sqrt(squares) / found.error.l2);
      }
    }
    expect(known).toBeGreaterThan(8);
    expect(closest).toBeGreaterThan(1e-6);
  });

  it("gives a constrained head the distances of its own rows", () => {
    const free = Float32Array.from([3, 4, 30, 40.001, -1, 0]);
    const facts = storedFacts(weight([3, 2], { kind: "unit_rows" }), free);
    // The first two rows point the same way: their margin is all but 0; the third is 1.789 away.
    expect(facts.stored?.rowDistance).toBeGreaterThan(Math.hypot(1.6, 0.8) - 1e-4);
    expect(facts.stored?.rowDistance).toBeLessThan(Math.hypot(1.6, 0.8) + 1e-4);
    expect(facts.rowNorm).toBe(1);
    expect(facts.spectral).toBeLessThan(Math.sqrt(3));
  });

  it("measures what a constraint leaves: an orthogonal weight that isn't orthogonal is shorter than 1", () => {
    const free = Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 0.1 : 0));
    const facts = storedFacts(weight([8, 8], { kind: "orthogonal" }), free);
    expect(facts.spectral).toBeGreaterThan(0.1495 - 1e-6);
    expect(facts.spectral).toBeLessThan(0.1496);
  });

  it("never gives more than the constraint promises", () => {
    for (const kind of Object.keys(exactly)) {
      for (const [name, free] of matrices([6, 6])) {
        const facts = storedFacts(weight([6, 6], constraintOf(kind)), free);
        const most = { unit_rows: Math.sqrt(6), unit_rms: 6, frobenius: 1.5 }[kind] ?? 1;
        expect(facts.spectral, `${kind} ${name}`).toBeLessThanOrEqual(most * (1 + 1e-15));
      }
    }
  });

  it("fails closed: no weights, numbers that aren't finite, overflow", () => {
    const made = weight([2, 2], { kind: "unit_rows" });
    expect(effectiveWeights(new Map())(made)).toBe(null);
    expect(effective(made, [1, NaN, 0, 1])).toBe(null);
    expect(storedFacts(made, [1, NaN, 0, 1]).spectral).toBe(Infinity);
    // Rows are divided by their largest entry first: only what is no number is too large.
    expect(effective(made, [1e300, 1e300, 1, 1])?.entries[0]).toBeCloseTo(Math.SQRT1_2, 12);
    expect(effective(made, [Infinity, 1, 1, 1])).toBe(null);
    expect(storedFacts(made, [Infinity, 1, 1, 1]).rowNorm).toBe(Infinity);
  });

  it("writes them out as a plain model, whose norms are those of the float32 numbers", () => {
    const random = generator(3, 3);
    const free = Float32Array.from({ length: 48 }, () => random() - 0.5);
    const model = { weights: [weight([6, 8], { kind: "orthogonal" })], claims: [] } as never;
    const written = plain(model, new Map([["w", free]]));
    expect(written?.model.weights[0].constraint.kind).toBe("none");
    const entries = written?.tensors.get("w") as Float32Array;
    expect(spectralNormUpper(entries, 6, 8)).toBeLessThan(1 + 1e-6);
  });
});
