/**
 * What is proven of a stored weight in each phase (docs/gains.md, "Phases" and "Stored numbers").
 *
 * init        the tensor that the initialiser stores, as float32
 * always      only what a constraint or a declared range guarantees; nothing else survives training
 * checkpoint  needs the tensors: nothing is known here
 */
import type { Constraint, Init, Phase, Weight } from "../model/model.ts";
import type { WeightFacts } from "./facts.ts";
import type { Reason } from "./gain.ts";
import { hypotUp, maxUp, minBound, mulUp, divUp, sqrtUp, stored } from "./up.ts";

/** Entries are listed one by one up to this count. */
const listed = 65536;

export function weightFacts(weight: Weight, phase: Phase): WeightFacts {
  switch (phase) {
    case "init":
      // A constrained weight is not the initialiser's tensor but what the constraint makes of it.
      return weight.constraint.kind === "none"
        ? clampedFacts(weight, initialFacts(weight, weight.init))
        : constraintFacts(weight, weight.constraint);
    case "always":
      if (weight.constraint.kind !== "none") return constraintFacts(weight, weight.constraint);
      return weight.range
        ? entryFacts(weight, weight.range[0], weight.range[1])
        : unknown(freeWeight(weight));
    case "checkpoint":
      return unknown(reason(weight, `the norms of \`${weight.path}\` are known only with a checkpoint`));
  }
}

/** Rows and columns of the weight reshaped to (out, everything else); vectors are columns. */
function matrixOf(weight: Weight): { rows: number; columns: number } {
  const [rows = 1, ...rest] = weight.shape;
  return { rows, columns: rest.reduce((a, b) => a * b, 1) };
}

/**
 * Facts of a start whose entries are put onto the weight's range, as `initialise` does. Entrywise facts follow the
 * clamp. Where 0 lies in the range no entry grows, so norms of rows and of the whole don't either; the spectral norm
 * may (an orthogonal I − 2/n·11ᵀ clamped from above tends to norm 2), up to the Frobenius norm.
 */
function clampedFacts(weight: Weight, facts: WeightFacts): WeightFacts {
  if (!weight.range) return facts;
  const [least, most] = weight.range;
  const inside = (x: number): number => Math.min(Math.max(x, least), most);
  if (facts.values !== null) return constantEntries(weight, facts.values.map(inside));
  const { rows, columns } = matrixOf(weight);
  const entries = fromEntries(rows, columns, inside(facts.low), inside(facts.high));
  if (!(least <= 0 && most >= 0)) return entries;
  const frobenius = minBound(entries.frobenius, facts.frobenius);
  return {
    ...entries,
    spectral: frobenius,
    frobenius,
    rowSum: minBound(entries.rowSum, facts.rowSum),
    rowNorm: minBound(entries.rowNorm, facts.rowNorm),
    maxAbs: minBound(entries.maxAbs, facts.maxAbs),
  };
}

function initialFacts(weight: Weight, init: Init): WeightFacts {
  const { rows, columns } = matrixOf(weight);
  switch (init.kind) {
    case "zeros":
      return constantEntries(weight, [0]);
    case "ones":
      return constantEntries(weight, [1]);
    case "constant":
      return constantEntries(weight, init.values.map(stored));
    case "spectral":
    case "orthogonal":
      // Both initialisers end with W32 = fl(W/b), b ≥ σ(W)·(1 + 2⁻²²√min(m, n)): ‖W32‖₂ ≤ 1 holds for the stored tensor.
      return fromSpectral(rows, columns, 1);
    case "trunc_normal": {
      // Cut at ±2 std before rounding to float32; rounding is monotone.
      const bound = stored(2 * init.std);
      return fromEntries(rows, columns, -bound, bound);
    }
    case "xavier":
    case "kaiming":
    case "normal":
      return unknown(
        reason(
          weight,
          `\`${weight.path}\` starts as ${init.kind}: a Gaussian init has no bound`,
          "weights { init: spectral }",
        ),
      );
  }
}

/** What a constraint guarantees of the weight that the network uses, in real arithmetic. */
function constraintFacts(weight: Weight, constraint: Constraint): WeightFacts {
  const { rows, columns } = matrixOf(weight);
  switch (constraint.kind) {
    case "none":
      return unknown(freeWeight(weight));
    case "spectral":
      return fromSpectral(rows, columns, constraint.bound);
    case "rms":
      // ‖W‖ from rms to rms is σ·√(columns/rows).
      return fromSpectral(rows, columns, mulUp(constraint.bound, sqrtUp(divUp(rows, columns))));
    case "frobenius":
      return { ...fromSpectral(rows, columns, constraint.bound), frobenius: constraint.bound };
    case "aol":
    case "orthogonal":
      return fromSpectral(rows, columns, 1);
    case "operator":
      // The matrix is the map seen from one patch by one output, so its norm is no larger.
      return { ...fromSpectral(rows, columns, constraint.bound), operator: constraint.bound };
    case "l1":
      // ‖row‖₂ ≤ ‖row‖₁.
      return { ...fromRows(rows, columns, constraint.bound), rowSum: constraint.bound };
    case "unit_rows":
      return fromRows(rows, columns, 1);
    case "unit_rms":
      return fromRows(rows, columns, sqrtUp(columns));
  }
}

/** ‖row‖₂ ≤ σ, |entry| ≤ ‖row‖₂, ‖row‖₁ ≤ √columns·‖row‖₂, ‖W‖_F ≤ √min(rows, columns)·σ. */
function fromSpectral(rows: number, columns: number, sigma: number): WeightFacts {
  return {
    spectral: sigma,
    frobenius: mulUp(sqrtUp(Math.min(rows, columns)), sigma),
    rowSum: mulUp(sqrtUp(columns), sigma),
    rowNorm: sigma,
    maxAbs: sigma,
    low: -sigma,
    high: sigma,
    values: null,
    why: null,
  };
}

/** Every row has l2 norm ≤ `norm`. */
function fromRows(rows: number, columns: number, norm: number): WeightFacts {
  const frobenius = mulUp(sqrtUp(rows), norm);
  return { ...fromSpectral(rows, columns, norm), spectral: frobenius, frobenius };
}

/** Every entry lies in [low, high]. */
function fromEntries(rows: number, columns: number, low: number, high: number): WeightFacts {
  const largest = maxUp(Math.abs(low), Math.abs(high));
  const frobenius = mulUp(sqrtUp(rows * columns), largest);
  return {
    spectral: frobenius,
    frobenius,
    rowSum: mulUp(columns, largest),
    rowNorm: mulUp(sqrtUp(columns), largest),
    maxAbs: largest,
    low,
    high,
    values: null,
    why: null,
  };
}

function entryFacts(weight: Weight, low: number, high: number): WeightFacts {
  const { rows, columns } = matrixOf(weight);
  const facts = fromEntries(rows, columns, low, high);
  return low === high ? { ...facts, ...constantEntries(weight, [low]) } : facts;
}

/** One stored number for every entry, or one per entry. */
function constantEntries(weight: Weight, values: readonly number[]): WeightFacts {
  const { rows, columns } = matrixOf(weight);
  const count = rows * columns;
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const facts = fromEntries(rows, columns, low, high);
  if (count > listed) return facts;
  const all = values.length === count ? values : new Array<number>(count).fill(values[0]);
  if (values.length === count && columns === 1) {
    const norm = minBound(facts.frobenius, hypotUp(...all.map(Math.abs)));
    return { ...facts, spectral: norm, frobenius: norm, values: all };
  }
  return { ...facts, values: all };
}

/** Facts of numbers that are written in the spec: a scalar, or a vector of them. */
export function constantFacts(values: readonly number[]): WeightFacts {
  const norm = hypotUp(...values.map(Math.abs));
  const largest = maxUp(...values.map(Math.abs));
  return {
    spectral: norm,
    frobenius: norm,
    rowSum: largest,
    rowNorm: largest,
    maxAbs: largest,
    low: Math.min(...values),
    high: Math.max(...values),
    values,
    why: null,
  };
}

/** Nothing is known, and why. */
export function unknown(why: Reason): WeightFacts {
  return {
    spectral: Infinity,
    frobenius: Infinity,
    rowSum: Infinity,
    rowNorm: Infinity,
    maxAbs: Infinity,
    low: -Infinity,
    high: Infinity,
    values: null,
    why,
  };
}

function freeWeight(weight: Weight): Reason {
  const matrix = ["matrix", "kernel", "depthwise", "table"].includes(weight.role);
  const fix = matrix ? "constraint: spectral(1)" : "learned(…, in: [low, high])";
  return { ...reason(weight, `\`${weight.path}\` may reach any norm in training`, fix), kind: "free-weight" };
}

function reason(weight: Weight, text: string, fix?: string): Reason {
  return { text, path: weight.path, because: [], ...(fix === undefined ? {} : { fix }) };
}
