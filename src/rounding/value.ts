/** A tensor under running error analysis: computed in float64 (its centre), with what other evaluations may differ by. */
import type { Dims, Op, OpAttributes } from "../graph/graph.ts";
import { sizeOf } from "../graph/primitives/size.ts";
import { spectralNormUpper } from "../gain/spectral.ts";
import { addUp, maxUp, minBound, subDown } from "../gain/up.ts";
import { normsOf, plus, tighter, zero, type Deviation } from "./deviation.ts";
import type { Part } from "./parts.ts";
import { twoNorm } from "./sums.ts";

export interface Made {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[Op];
}

/** So many matrices of one tensor have their norms proven one by one. */
const provenMatrices = 16;

/**
 * `tracks[t]` bounds the difference of one pair of evaluations (docs/gains.md, "Rounding of engines"). All evaluations
 * of the tensor lie within the sum of the tracks round the centre.
 */
export class Value {
  readonly shape: Dims;
  readonly centre: Float64Array;
  tracks: readonly Deviation[];
  /** No entry of any evaluation lies below. */
  readonly low: number;
  /** Rounding errors of a matrix product: how many of its partial sums something added to it may have been a part of. */
  readonly terms: number;
  /** Made of weights and given numbers alone: the same for every sample, so its norms are worth a proof. */
  readonly constant: boolean;
  /** Norms that no evaluation exceeds, whatever its operands are. */
  readonly cap: Deviation | null;
  /** What made it; null for what is fed or given. */
  readonly made: Made | null;
  /** Of a product that is summed in parts, what this is. */
  readonly part: Part | null;
  private norms: Deviation | null = null;
  private around: { readonly of: readonly Deviation[]; readonly region: Deviation } | null = null;
  private readonly spectra = new Map<string, number>();

  constructor(
    shape: Dims,
    centre: Float64Array,
    tracks: readonly Deviation[],
    more: Partial<Pick<Value, "low" | "terms" | "constant" | "cap" | "made" | "part">> = {},
  ) {
    [this.shape, this.centre, this.tracks] = [shape, centre, tracks];
    this.low = more.low ?? -Infinity;
    this.terms = more.terms ?? 0;
    this.constant = more.constant ?? false;
    this.cap = more.cap ?? null;
    this.made = more.made ?? null;
    this.part = more.part ?? null;
  }

  /** Norms of the centre. */
  get size(): Deviation {
    return (this.norms ??= normsOf(this.centre, this.shape));
  }

  /** How far any evaluation may lie from the centre. */
  get spread(): Deviation {
    if (this.around?.of !== this.tracks)
      this.around = { of: this.tracks, region: this.tracks.reduce(plus, zero) };
    return this.around.region;
  }

  /** Norms of any evaluation. */
  get reach(): Deviation {
    const reach = plus(this.size, this.spread);
    return this.cap ? tighter(reach, this.cap) : reach;
  }

  /** ≤ every entry of every evaluation. */
  get least(): number {
    let least = Infinity;
    for (const x of this.centre) if (!(x >= least)) least = Number.isNaN(x) ? -Infinity : x;
    return Math.max(this.low, subDown(least, this.spread.linf));
  }

  get most(): number {
    let most = -Infinity;
    for (const x of this.centre) if (!(x <= most)) most = Number.isNaN(x) ? Infinity : x;
    return addUp(most, this.spread.linf);
  }

  /**
   * ≥ ‖·‖₂ of every evaluation of every matrix in it (the last two axes; a kernel's groups as rows × the rest); of the
   * entries' absolute values with `absolute`. Proven from the entries for constants, else, or where there are too many
   * matrices to be worth it, the Frobenius norm.
   */
  spectral(matrices: number, rows: number, columns: number, absolute: boolean): number {
    const key = `${matrices} ${rows} ${columns} ${absolute}`;
    let norm = this.spectra.get(key);
    if (norm === undefined) {
      norm = 0;
      const size = rows * columns;
      for (let m = 0; m < matrices; m++) {
        const part = this.centre.subarray(m * size, (m + 1) * size);
        const frobenius = twoNorm(part, 0, size);
        const entries = absolute ? part.map(Math.abs) : part;
        norm = maxUp(
          norm,
          this.constant && matrices <= provenMatrices && rows > 1 && columns > 1
            ? minBound(frobenius, spectralNormUpper(entries, rows, columns))
            : frobenius,
        );
      }
      this.spectra.set(key, norm);
    }
    // The Frobenius norm of what is added, in any one matrix.
    return addUp(norm, this.spread.l2);
  }

  /** ≥ the l2 norm of every column of every matrix, of every evaluation. */
  columnNorm(rows: number, columns: number): number {
    let norm = this.spectra.get("columns");
    if (norm === undefined) {
      norm = 0;
      const size = rows * columns;
      for (let from = 0; from < sizeOf(this.shape); from += size)
        for (let j = 0; j < columns; j++) norm = maxUp(norm, twoNorm(this.centre, from + j, rows, columns));
      this.spectra.set("columns", norm);
    }
    return addUp(norm, this.spread.l2);
  }

  /** ≥ the l1 norm of every row of `length` entries, of every evaluation. */
  rowSum(length: number): number {
    let sum = this.spectra.get(`sums ${length}`);
    if (sum === undefined) {
      sum = 0;
      for (let from = 0; from < this.centre.length; from += length) {
        let s = 0;
        for (let i = from; i < from + length; i++) s += Math.abs(this.centre[i]);
        sum = maxUp(sum, s * (1 + length * 2 ** -50));
      }
      this.spectra.set(`sums ${length}`, sum);
    }
    return addUp(sum, this.spread.linf * length * (1 + 2 ** -40));
  }
}
