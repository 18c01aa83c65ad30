/**
 * What is proven of a weight from its stored entries (docs/gains.md, "Phases": at checkpoint). Every number is an upper
 * bound with its rounding included; norms that cost are computed when a rule asks for them.
 */
import type { KernelFacts, StoredFacts, WeightFacts } from "../gain/facts.ts";
import { spectralNormUpper } from "../gain/spectral.ts";
import { maxUp, minBound, mulUp, nextUp } from "../gain/up.ts";
import { unknown, weightFacts } from "../gain/weights.ts";
import type { Weight } from "../model/model.ts";
import { frobeniusNorm, oneNorm, twoNorm } from "./rounding.ts";
import { convolutionNorm, depthwiseNorm, onMap, tapsOf } from "./symbol.ts";

/** Entries are listed one by one up to this count. */
const listed = 65536;

/** Facts of a weight whose stored entries are these; the reason where they prove nothing. */
export function storedFacts(weight: Weight, entries: ArrayLike<number>): WeightFacts {
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
  const own = new StoredWeight(weight, entries, low, high);
  if (constraint.kind === "none") return own;
  // The network uses what the constraint makes of the stored tensor: in real arithmetic, so the constraint's facts hold.
  const made = weightFacts(weight, "always");
  // Scaled by a factor in [0, 1], as `frobenius` does, no norm grows.
  return constraint.kind === "frobenius" ? smaller(made, own) : made;
}

function none(weight: Weight, what: string): WeightFacts {
  return unknown({ text: `\`${weight.path}\` ${what}`, path: weight.path, because: [] });
}

function smaller(a: WeightFacts, b: WeightFacts): WeightFacts {
  return {
    spectral: minBound(a.spectral, b.spectral),
    frobenius: minBound(a.frobenius, b.frobenius),
    rowSum: minBound(a.rowSum, b.rowSum),
    rowNorm: minBound(a.rowNorm, b.rowNorm),
    maxAbs: minBound(a.maxAbs, b.maxAbs),
    low: Math.max(a.low, Math.min(b.low, 0)),
    high: Math.min(a.high, Math.max(b.high, 0)),
    values: null,
    why: null,
  };
}

class StoredWeight implements WeightFacts {
  readonly low: number;
  readonly high: number;
  readonly why = null;
  private readonly weight: Weight;
  private readonly entries: ArrayLike<number>;
  private readonly rows: number;
  private readonly columns: number;
  private readonly known = new Map<string, number>();

  constructor(weight: Weight, entries: ArrayLike<number>, low: number, high: number) {
    [this.weight, this.entries] = [weight, entries];
    [this.low, this.high] = entries.length === 0 ? [0, 0] : [low, high];
    this.rows = weight.shape[0] ?? 1;
    this.columns = this.rows === 0 ? 0 : entries.length / this.rows;
  }

  private once(name: string, compute: () => number): number {
    let value = this.known.get(name);
    if (value === undefined) this.known.set(name, (value = compute()));
    return value;
  }

  get spectral(): number {
    const { rows, columns, entries } = this;
    // A vector is a column; nobody multiplies by a table, and it can be long.
    if (columns === 1 || rows === 1 || this.weight.role === "table") return this.frobenius;
    return this.once("spectral", () => minBound(spectralNormUpper(entries, rows, columns), this.frobenius));
  }
  get frobenius(): number {
    return this.once("frobenius", () => frobeniusNorm(this.entries));
  }
  get rowSum(): number {
    return this.once("rowSum", () => this.largestRow(oneNorm));
  }
  get rowNorm(): number {
    return this.once("rowNorm", () => this.largestRow(twoNorm));
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
    return this.entries.length <= listed ? Array.from(this.entries) : null;
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
    return mulUp(twoNorm(difference, 0, columns), 1 + 2 ** -51);
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
    return largest;
  }

  private kernel(): KernelFacts | undefined {
    const { shape, role } = this.weight;
    if (role !== "kernel" && role !== "depthwise") return undefined;
    const [out, inner] = shape;
    const taps = tapsOf(shape);
    const { entries } = this;
    const count = taps.height * taps.width;
    const depthwise = role === "depthwise";
    return {
      taps: (together) =>
        Array.from({ length: count }, (_, t) =>
          this.once(`tap ${t} ${together}`, () =>
            depthwise ? tapOfChannels(entries, t, count, together) : tapNorm(entries, t, count, out, inner),
          ),
        ),
      circular: (torus, dilation, together) =>
        this.once(`circular ${torus.join()} ${dilation} ${together}`, () =>
          depthwise
            ? depthwiseNorm(entries, taps, onMap(torus), dilation, together)
            : convolutionNorm(entries, out, inner, taps, onMap(torus), dilation),
        ),
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
