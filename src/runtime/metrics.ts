/** metrics.jsonl: one JSON object a line, appended as it happens. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { writeWhole } from "./checkpoint.ts";

/** `kind: "step"` every few steps, `kind: "epoch"` after each epoch; times stand in `seconds` only. */
export type Metric =
  | {
      readonly kind: "step";
      readonly step: number;
      readonly epoch: number;
      readonly loss: number;
      readonly accuracy: number;
      readonly lr: number;
      readonly gradNorm: number;
      readonly seconds: number;
    }
  | {
      readonly kind: "epoch";
      readonly step: number;
      readonly epoch: number;
      readonly trainLoss: number;
      readonly trainAccuracy: number;
      readonly testLoss: number | null;
      readonly testAccuracy: number | null;
      readonly seconds: number;
    };

export interface MetricsFile {
  append(metric: Metric): void;
}

/** Opens the file; lines past `step` are dropped, so that a resumed run doesn't tell a stretch twice. */
export function openMetrics(path: string, step: number): MetricsFile {
  if (existsSync(path)) {
    const kept = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "" && stepOf(line) <= step);
    writeWhole(path, kept.map((line) => line + "\n").join(""));
  }
  return { append: (metric) => appendFileSync(path, JSON.stringify(metric) + "\n") };
}

/** A half-written last line (a kill) counts as past the end. */
function stepOf(line: string): number {
  try {
    const value = JSON.parse(line) as { step?: unknown };
    return typeof value.step === "number" ? value.step : Infinity;
  } catch {
    return Infinity;
  }
}
