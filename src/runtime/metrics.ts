/** metrics.jsonl: one JSON object a line, appended as it happens; and the same as events for TensorBoard. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Reported } from "./certified/report.ts";
import { eventOf, eventsName, firstEvent } from "./events.ts";
import { append, readText, writeWhole } from "./files.ts";
import { good, type Result } from "./result.ts";

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
      /** Certified and attacked accuracy, where the recipe reports them. */
      readonly reported?: readonly Reported[];
      readonly seconds: number;
    };

export interface MetricsFile {
  append(metric: Metric): Result<void>;
}

/**
 * Opens the file; lines past `step` are dropped, so that a resumed run doesn't tell a stretch twice. The events are made of
 * the lines that stay: nothing can be in one file and not in the other.
 */
export function openMetrics(path: string, step: number): Result<MetricsFile> {
  let kept: readonly string[] = [];
  if (existsSync(path)) {
    const before = readText(path, "metrics");
    if (!before.ok) return before;
    kept = before.value.split("\n").filter((line) => line !== "" && stepOf(line) <= step);
    const written = writeWhole(path, kept.map((line) => line + "\n").join(""));
    if (!written.ok) return written;
  }
  const events = join(dirname(path), eventsName);
  const metrics = kept.map((line) => JSON.parse(line) as Metric);
  const now = (): number => Date.now() / 1000;
  const began = now() - Math.max(0, ...metrics.map(({ seconds }) => seconds));
  const made = writeWhole(
    events,
    Buffer.concat([firstEvent(began), ...metrics.map((metric) => eventOf(metric, began + metric.seconds))]),
  );
  if (!made.ok) return made;
  return good({
    append(metric) {
      const line = append(path, JSON.stringify(metric) + "\n");
      return line.ok ? append(events, eventOf(metric, now())) : line;
    },
  });
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
