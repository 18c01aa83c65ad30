/**
 * What is known of a weight, over any arithmetic: by its initialiser (phase init), by its constraint or declared range (phase
 * always), or stated and to be measured from its bytes (phase checkpoint). docs/gains.md, section 3.
 */
import { hypot, root, type Arith } from "./arith.ts";
import type { Shape } from "./gains.ts";

/** Upper bounds of the weight reshaped to (out, everything else); vectors and biases are columns. */
export interface Facts<T> {
  readonly spectral: T;
  readonly frobenius: T;
  /** Largest l1 norm, and largest l2 norm, of a row. */
  readonly rowSum: T;
  readonly rowNorm: T;
  readonly maxAbs: T;
  readonly low: T;
  readonly high: T;
  /** All entries, where they are few and known. */
  readonly values?: readonly T[];
  /** Known of stored entries only: the distance of two rows, and of two entries of one column. */
  readonly rowDistance?: T;
  readonly columnSpread?: T;
  /** ‖W_t‖₂ of every tap of a kernel, row-major. */
  readonly taps?: readonly T[];
  /** Norms of the convolution on maps that it is used on. */
  readonly maps?: readonly KernelMap<T>[];
  /** Of a kernel whose constraint bounds its convolution: the l2 norm of the map, zero padded, any stride and dilation. */
  readonly operator?: T;
}

/** The l2 norm of a kernel's convolution on a map of these positions, zero padded; the same along each axis. */
export interface KernelMap<T> {
  readonly positions: readonly number[];
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly norm: T;
}

export type Init =
  | { readonly kind: "spectral" | "orthogonal" | "xavier" | "kaiming" | "zeros" | "ones" }
  | { readonly kind: "trunc_normal" | "normal"; readonly std: number }
  | { readonly kind: "constant"; readonly values: readonly number[] };

export type Constraint =
  | { readonly kind: "none" | "aol" | "orthogonal" | "unit_rows" | "unit_rms" }
  | { readonly kind: "spectral" | "rms" | "frobenius" | "l1" | "operator"; readonly bound: number };

export type Phase = "init" | "always" | "checkpoint";

export interface Weight {
  readonly path: string;
  readonly shape: Shape;
  readonly init: Init;
  readonly constraint: Constraint;
  readonly range: readonly [low: number, high: number] | null;
}

export function matrixOf({ shape }: Pick<Weight, "shape">): { rows: number; columns: number } {
  const [rows = 1, ...rest] = shape;
  return { rows, columns: rest.reduce((n, size) => n * size, 1) };
}

/** What a phase guarantees before any entry is looked at; ∞ where that is nothing. */
export function factsOf<T>(a: Arith<T>, weight: Weight, phase: Phase): Facts<T> {
  if (weight.constraint.kind !== "none") return constrained(a, weight, weight.constraint);
  if (phase === "init") return clamped(a, weight, initial(a, weight, weight.init));
  if (phase === "always" && weight.range) return fromEntries(a, weight, ...ends(a, weight.range));
  return unknown(a);
}

export function unknown<T>(a: Arith<T>): Facts<T> {
  const infinite = a.num(Infinity);
  return {
    spectral: infinite,
    frobenius: infinite,
    rowSum: infinite,
    rowNorm: infinite,
    maxAbs: infinite,
    low: a.num(-Infinity),
    high: infinite,
  };
}

const ends = <T>(a: Arith<T>, [low, high]: readonly [number, number]): [T, T] => [a.num(low), a.num(high)];

/** Of the effective weight, in real arithmetic, whatever the free tensor is. */
function constrained<T>(a: Arith<T>, weight: Weight, constraint: Constraint): Facts<T> {
  const { rows, columns } = matrixOf(weight);
  switch (constraint.kind) {
    case "spectral":
      return fromSpectral(a, weight, a.num(constraint.bound));
    case "frobenius":
      return { ...fromSpectral(a, weight, a.num(constraint.bound)), frobenius: a.num(constraint.bound) };
    case "rms":
      // ‖W‖ from rms to rms is σ·√(columns/rows).
      return fromSpectral(
        a,
        weight,
        a.mul(a.num(constraint.bound), a.sqrt(a.div(a.num(rows), a.num(columns)))),
      );
    case "aol":
    case "orthogonal":
      return fromSpectral(a, weight, a.num(1));
    case "operator":
      // The matrix is the map seen from one patch by one output.
      return { ...fromSpectral(a, weight, a.num(constraint.bound)), operator: a.num(constraint.bound) };
    case "l1":
      // ‖row‖₂ ≤ ‖row‖₁.
      return { ...fromRows(a, weight, a.num(constraint.bound)), rowSum: a.num(constraint.bound) };
    case "unit_rows":
      return fromRows(a, weight, a.num(1));
    case "unit_rms":
      return fromRows(a, weight, root(a, columns));
    case "none":
      return unknown(a);
  }
}

/** What the initialiser stores, as float32. */
function initial<T>(a: Arith<T>, weight: Weight, init: Init): Facts<T> {
  switch (init.kind) {
    case "zeros":
      return fromValues(a, weight, [0]);
    case "ones":
      return fromValues(a, weight, [1]);
    case "constant":
      // trust: T7
      return fromValues(a, weight, init.values.map(Math.fround));
    case "spectral":
    case "orthogonal":
      // fl(W/b) with b ≥ σ(W)·(1 + 2⁻²²√min(m, n)): the stored tensor has norm ≤ 1.
      return fromSpectral(a, weight, a.num(1));
    case "trunc_normal": {
      // Cut at ±2 std before rounding to float32; rounding is monotone.
      // trust: T7
      const bound = Math.fround(2 * init.std);
      return fromEntries(a, weight, a.num(-bound), a.num(bound));
    }
    default:
      return unknown(a);
  }
}

/**
 * A start is put onto its declared range entry by entry. Where 0 lies in the range no entry grows, so norms of rows and
 * of the whole don't; the spectral norm may, up to the Frobenius norm.
 */
function clamped<T>(a: Arith<T>, weight: Weight, facts: Facts<T>): Facts<T> {
  if (!weight.range) return facts;
  const { init, range } = weight;
  const [least, most] = range;
  if (init.kind === "zeros" || init.kind === "ones" || init.kind === "constant") {
    // trust: T7
    const values = init.kind === "constant" ? init.values.map(Math.fround) : [init.kind === "zeros" ? 0 : 1];
    return fromValues(
      a,
      weight,
      values.map((x) => Math.min(Math.max(x, least), most)),
    );
  }
  const inside = (x: T): T => a.min(a.max(x, a.num(least)), a.num(most));
  const entries = fromEntries(a, weight, inside(facts.low), inside(facts.high));
  if (!(least <= 0 && most >= 0)) return entries;
  const frobenius = a.min(entries.frobenius, facts.frobenius);
  return {
    ...entries,
    spectral: frobenius,
    frobenius,
    rowSum: a.min(entries.rowSum, facts.rowSum),
    rowNorm: a.min(entries.rowNorm, facts.rowNorm),
    maxAbs: a.min(entries.maxAbs, facts.maxAbs),
  };
}

/** ‖row‖₂ ≤ σ, |entry| ≤ ‖row‖₂, ‖row‖₁ ≤ √columns·‖row‖₂, ‖W‖_F ≤ √min(rows, columns)·σ. */
function fromSpectral<T>(a: Arith<T>, weight: Weight, sigma: T): Facts<T> {
  const { rows, columns } = matrixOf(weight);
  return {
    spectral: sigma,
    frobenius: a.mul(root(a, Math.min(rows, columns)), sigma),
    rowSum: a.mul(root(a, columns), sigma),
    rowNorm: sigma,
    maxAbs: sigma,
    low: a.sub(a.num(0), sigma),
    high: sigma,
  };
}

function fromRows<T>(a: Arith<T>, weight: Weight, norm: T): Facts<T> {
  const frobenius = a.mul(root(a, matrixOf(weight).rows), norm);
  return { ...fromSpectral(a, weight, norm), spectral: frobenius, frobenius };
}

function fromEntries<T>(a: Arith<T>, weight: Weight, low: T, high: T): Facts<T> {
  const { rows, columns } = matrixOf(weight);
  const largest = a.max(a.abs(low), a.abs(high));
  const frobenius = a.mul(root(a, rows * columns), largest);
  return {
    spectral: frobenius,
    frobenius,
    rowSum: a.mul(a.num(columns), largest),
    rowNorm: a.mul(root(a, columns), largest),
    maxAbs: largest,
    low,
    high,
  };
}

/** One number for every entry, or one per entry. */
function fromValues<T>(a: Arith<T>, weight: Weight, values: readonly number[]): Facts<T> {
  const { rows, columns } = matrixOf(weight);
  const numbers = values.map((x) => a.num(x));
  const [first, ...others] = numbers;
  const facts = fromEntries(a, weight, a.min(first, ...others), a.max(first, ...others));
  if (values.length !== rows * columns) return facts;
  if (columns !== 1) return { ...facts, values: numbers };
  const norm = a.min(facts.frobenius, hypot(a, ...numbers));
  return { ...facts, spectral: norm, frobenius: norm, values: numbers };
}

/** Facts of numbers that are written in the model. */
export function constantFacts<T>(a: Arith<T>, values: readonly number[]): Facts<T> {
  return fromValues(
    a,
    {
      path: "",
      shape: [values.length],
      init: { kind: "zeros" },
      constraint: { kind: "none" },
      range: null,
    },
    values,
  );
}
