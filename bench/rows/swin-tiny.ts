/** LipsFormer-Swin-Tiny at 224 × 224, batch 2: the step's time and the whole process's memory, against PyTorch eager. */
import { join } from "node:path";
import type { Hello } from "../lipsformer/worker.ts";
import { expectSameNetwork } from "../lipsformer/same-network.ts";
import { projectRoot } from "../project.ts";
import { fastestPytorch } from "../pytorch.ts";
import { busy, interleave, row, type Bench, type Row } from "../row.ts";
import { StepProcess } from "../step-process.ts";

const batch = 2;
const rounds = 6;
const stepsPerRound = 3;

let measured: Promise<{ time: Row; memory: Row }> | null = null;

/** Two rows of one run. */
export const swinTinyBenches: readonly Bench[] = [
  { name: "train-step/swin-tiny", run: async (log) => [(await (measured ??= measure(log))).time] },
  { name: "peak-memory/swin-tiny", run: async (log) => [(await (measured ??= measure(log))).memory] },
];

async function measure(log: (line: string) => void): Promise<{ time: Row; memory: Row }> {
  const other = busy();
  log(`swin-tiny${other}`);
  const { reference, note } = await fastestPytorch("lipsformer.py", batch, log);
  const step = new StepProcess<Hello>(process.execPath, [
    join(projectRoot, "dist", "bench", "lipsformer", "worker.js"),
    String(batch),
  ]);
  const { about } = await step.hello();
  await step.run(2);
  const candidates = reference === null ? [step] : [step, reference];
  const [ours, theirs] = await interleave(
    rounds,
    candidates.map((candidate) => () => candidate.run(stepsPerRound)),
  );
  const peak = (await step.ask("peak")) as Peak;
  const theirPeak = (await reference?.ask("peak")) as (Peak & { imported: number }) | undefined;
  step.stop();
  if (reference !== null) {
    await expectSameNetwork(reference, batch);
    reference.stop();
    log("  the network is the same: loss, gradient norm and logits agree");
  }
  const megabytes = (bytes: number) => bytes / 1e6;
  const imported = theirPeak ? `, of which ${megabytes(theirPeak.imported).toFixed(0)} MB is the import` : "";
  return {
    time: row("train-step/swin-tiny/pytorch", ours, theirs ?? null, "ms", `${about}; ${note}${other}`),
    memory: row(
      "peak-memory/swin-tiny/pytorch",
      megabytes(peak.bytes),
      theirPeak ? megabytes(theirPeak.bytes) : null,
      "MB",
      `whole processes; ${note}${imported}`,
    ),
  };
}

interface Peak {
  readonly bytes: number;
}
