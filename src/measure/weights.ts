/**
 * What is proven of a weight from its stored entries (docs/gains.md, "Phases": at checkpoint). Every number is an upper
 * bound with its rounding included; norms that cost are computed when a rule asks for them.
 */
import type { KernelFacts, StoredFacts, WeightFacts } from "../gain/facts.ts";
import { spectralNormUpper } from "../gain/spectral.ts";
import { addUp, maxUp, minBound, mulUp, nextUp, sqrtUp, subDown } from "../gain/up.ts";
import { unknown, weightFacts } from "../gain/weights.ts";
import type { Weight } from "../model/model.ts";
import { zero, type Deviation } from "../rounding/deviation.ts";
import { frobeniusNorm, oneNorm, twoNorm } from "../rounding/sums.ts";
import { effective, type Effective } from "./effective.ts";
import { convolutionNorm, depthwiseNorm, onMap, tapsOf } from "./symbol.ts";
import { writtenDepthwiseNorm, writtenNorm } from "./written-conv.ts";

/** Entries are listed one by one up to this count. */
const listed = 65536;

/**
 * Facts of a weight whose stored entries are these; the reason where they prove nothing. `made`: what its constraint makes
 * of them, where that is known already.
 */
export function storedFacts(
  weight: Weight,
  entries: ArrayLike<number>,
  made: Effective | null = effective(weight, entries),
): WeightFacts {
  const count = weight.shape.reduce((a, b) => a * b, 1);
  if (entries.length !== count)
    return none(weight, `holds ${entries.length} numbers, its shape needs ${count}`);
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < count; i++) {
    const x = entries[i];
    if (!Number.isFinite(x)) return none(weight, "holds a number that is not finite");
    if (x < low) low = x;
    if (x > high) high = x;
  }
  const { range, constraint } = weight;
  if (range && count > 0 && !(low >= range[0] && high <= range[1]))
    return none(weight, `holds a number outside of its declared range [${range[0]}, ${range[1]}]`);
  if (constraint.kind === "none") return new StoredWeight(weight, entries, zero, null);
  // The network uses what the constraint makes of the stored tensor: in real arithmetic, so the constraint's facts hold,
  // and those of what it made here, for all that float64 may have added.
  const guaranteed = weightFacts(weight, "always");
  return made ? new StoredWeight(weight, made.entries, made.error, guaranteed) : guaranteed;
}

function none(weight: Weight, what: string): WeightFacts {
  return unknown({ text: `\`${weight.path}\` ${what}`, path: weight.path, because: [] });
}

class StoredWeight implements WeightFacts {
  readonly low: number;
  readonly high: number;
  readonly why = null;
  private readonly weight: Weight;
  private readonly entries: ArrayLike<number>;
  /** ≥ |entries − exact|. */
  private readonly error: Deviation;
  /** What holds of it besides. */
  private readonly guaranteed: WeightFacts | null;
  private readonly rows: number;
  private readonly columns: number;
  private readonly known = new Map<string, number>();

  constructor(weight: Weight, entries: ArrayLike<number>, error: Deviation, guaranteed: WeightFacts | null) {
    [this.weight, this.entries, this.error, this.guaranteed] = [weight, entries, error, guaranteed];
    let [low, high] = entries.length === 0 ? [0, 0] : [Infinity, -Infinity];
    for (let i = 0; i < entries.length; i++) {
      if (entries[i] < low) low = entries[i];
      if (entries[i] > high) high = entries[i];
    }
    this.low = Math.max(subDown(low, error.linf) + 0, guaranteed?.low ?? -Infinity);
    this.high = Math.min(addUp(high, error.linf), guaranteed?.high ?? Infinity);
    this.rows = weight.shape[0] ?? 1;
    this.columns = this.rows === 0 ? 0 : entries.length / this.rows;
  }

  private once(name: string, compute: () => number): number {
    let value = this.known.get(name);
    if (value === undefined) this.known.set(name, (value = compute()));
    return value;
  }

  /** The bound of the computed entries with their error, or the guaranteed one. */
  private fact(
    name: "spectral" | "frobenius" | "rowSum" | "rowNorm",
    error: number,
    of: () => number,
  ): number {
    return this.once(name, () => minBound(addUp(of(), error), this.guaranteed?.[name] ?? Infinity));
  }

  get spectral(): number {
    const { rows, columns, entries, error } = this;
    // A vector is a column; nobody multiplies by a table, and it can be long.
    if (columns === 1 || rows === 1 || this.weight.role === "table") return this.frobenius;
    return this.fact("spectral", error.l2, () =>
      minBound(spectralNormUpper(entries, rows, columns), this.frobenius),
    );
  }
  get operator(): number | undefined {
    return this.guaranteed?.operator;
  }
  get frobenius(): number {
    return this.fact("frobenius", this.error.l2, () => frobeniusNorm(this.entries));
  }
  get rowSum(): number {
    return this.fact("rowSum", mulUp(sqrtUp(this.columns), this.error.row), () => this.largestRow(oneNorm));
  }
  get rowNorm(): number {
    return this.fact("rowNorm", this.error.row, () => this.largestRow(twoNorm));
  }
  private largestRow(norm: (data: ArrayLike<number>, from: number, count: number) => number): number {
    const { rows, columns, entries } = this;
    let largest = 0;
    for (let r = 0; r < rows; r++) largest = maxUp(largest, norm(entries, r * columns, columns));
    return largest;
  }
  get maxAbs(): number {
    return Math.max(Math.abs(this.low), Math.abs(this.high));
  }
  get values(): readonly number[] | null {
    const exact = this.error.linf === 0;
    return exact && this.entries.length <= listed ? Array.from(this.entries) : null;
  }
  readonly stored: StoredFacts = Object.defineProperties({} as StoredFacts, {
    rowDistance: { get: () => this.once("rowDistance", () => this.rowDistance()) },
    rowDistances: { value: (a: number, b: number) => this.rowDistances(a, b) },
    columnSpread: { get: () => this.once("columnSpread", () => this.columnSpread()) },
    kernel: { get: () => this.kernel() },
  });

  private rowDistance(): number {
    let largest = 0;
    for (let a = 0; a < this.rows; a++)
      for (let b = 0; b < a; b++) largest = maxUp(largest, this.rowDistances(a, b));
    return largest;
  }

  /** ‖w_a − w_b‖₂: differences are rounded once, each by at most u, so the true norm is at most 1/(1 − u) times larger. */
  private rowDistances(a: number, b: number): number {
    const { rows, columns, entries } = this;
    // A row that isn't there is no row of zeros.
    if (!(a >= 0 && b >= 0 && a < rows && b < rows)) return Infinity;
    const difference = new Float64Array(columns);
    for (let j = 0; j < columns; j++) difference[j] = entries[a * columns + j] - entries[b * columns + j];
    return addUp(mulUp(twoNorm(difference, 0, columns), 1 + 2 ** -51), mulUp(2, this.error.row));
  }

  private columnSpread(): number {
    const { rows, columns, entries } = this;
    let largest = 0;
    for (let j = 0; j < columns; j++) {
      let [low, high] = [Infinity, -Infinity];
      for (let r = 0; r < rows; r++) {
        const x = entries[r * columns + j];
        if (x < low) low = x;
        if (x > high) high = x;
      }
      if (rows > 0) largest = maxUp(largest, nextUp(high - low));
    }
    return addUp(largest, mulUp(2, this.error.linf));
  }

  private kernel(): KernelFacts | undefined {
    const { shape, role } = this.weight;
    if (role !== "kernel" && role !== "depthwise") return undefined;
    const [out, inner] = shape;
    const taps = tapsOf(shape);
    const { entries, error } = this;
    const count = taps.height * taps.width;
    // One tap of the error is a part of its entries; the convolution by it is at most the sum of its taps.
    const added = mulUp(sqrtUp(count), error.l2);
    const depthwise = role === "depthwise";
    return {
      taps: (together) =>
        Array.from({ length: count }, (_, t) =>
          this.once(`tap ${t} ${together}`, () =>
            addUp(
              depthwise ? tapOfChannels(entries, t, count, together) : tapNorm(entries, t, count, out, inner),
              error.l2,
            ),
          ),
        ),
      circular: (torus, dilation, together) =>
        this.once(`circular ${torus.join()} ${dilation} ${together}`, () =>
          addUp(
            depthwise
              ? depthwiseNorm(entries, taps, onMap(torus), dilation, together)
              : convolutionNorm(entries, out, inner, taps, onMap(torus), dilation),
            added,
          ),
        ),
      onMap: (positions, sliding, together) => {
        const { stride, padding, dilation } = sliding;
        const where = { taps, map: onMap(positions), sliding };
        return this.once(`on ${[...positions, stride, padding, dilation, together].join()}`, () =>
          addUp(
            depthwise
              ? writtenDepthwiseNorm(entries, together, where)
              : writtenNorm(entries, out, inner, where),
            added,
          ),
        );
      },
    };
  }
}

/** ‖W_t‖₂ of one tap's (out, in) matrix. */
function tapNorm(entries: ArrayLike<number>, tap: number, taps: number, out: number, inner: number): number {
  const matrix = Float64Array.from({ length: out * inner }, (_, i) => entries[i * taps + tap]);
  return spectralNormUpper(matrix, out, inner);
}

/** One tap of a depthwise kernel is diagonal over channels: the largest length of one channel's `together` entries. */
function tapOfChannels(entries: ArrayLike<number>, tap: number, taps: number, together: number): number {
  let largest = 0;
  for (let from = tap; from < entries.length; from += taps * together)
    largest = maxUp(largest, twoNorm(entries, from, together, taps));
  return largest;
}
