import { loadavg } from "node:os";

/** What a benchmark tells: one row for each thing measured. */
export interface Row {
  /** `train-step/vit/pytorch`: stable, to be compared from run to run. */
  readonly name: string;
  readonly ours: number | null;
  /** What it is measured against, in the same unit and the same run; null where that is absent. */
  readonly reference: number | null;
  /** ours / reference. */
  readonly ratio: number | null;
  readonly unit: string;
  /** What the reference is, or why there is none. */
  readonly note: string;
}

export interface Bench {
  /** Beginnings of the rows' names, to choose by. */
  readonly name: string;
  run(log: (line: string) => void): Promise<Row[]>;
}

export function row(
  name: string,
  ours: number | null,
  reference: number | null,
  unit: string,
  note: string,
): Row {
  const ratio = ours === null || reference === null ? null : ours / reference;
  return { name, ours, reference, ratio, unit, note };
}

/** Said beside the numbers when the machine was doing something else too: then they mean little. */
export function busy(): string {
  const [load] = loadavg();
  return load > 0.75 ? `; load average ${load.toFixed(1)} at the start: other work was running` : "";
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs the candidates in turns, round after round, so that a drift of the machine hits all of them; each gives the
 * times of one turn. The result is each one's median.
 */
export async function interleave(
  rounds: number,
  candidates: readonly (() => Promise<number[]>)[],
): Promise<number[]> {
  const times: number[][] = candidates.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, candidate] of candidates.entries()) times[i].push(...(await candidate()));
  }
  return times.map(median);
}
