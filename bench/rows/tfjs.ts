/** The training step on TensorFlow.js: what the compiler generates against the same network written by hand. */
import { join } from "node:path";
import { projectRoot } from "../project.ts";
import { busy, interleave, median, row, type Bench, type Row } from "../row.ts";
import { StepProcess } from "../step-process.ts";
import type { Hello } from "../tfjs/worker.ts";

const batch = 128;
const worker = join(projectRoot, "dist", "bench", "tfjs", "worker.js");

interface Race {
  readonly engine: string;
  /** Each is a row: ours against it. */
  readonly references: readonly ("handwritten" | "tape")[];
  readonly rounds: number;
  readonly stepsPerRound: number;
}

const races: readonly Race[] = [
  { engine: "tfjs-node", references: ["handwritten"], rounds: 8, stepsPerRound: 3 },
  { engine: "tfjs-wasm", references: ["handwritten", "tape"], rounds: 5, stepsPerRound: 1 },
];

const descriptions = {
  handwritten: "hand-written TensorFlow.js with gradients of its own",
  tape: "hand-written TensorFlow.js with the library's own gradients",
};

export const tfjsBench: Bench = {
  name: "train-step/tfjs",
  async run(log) {
    const rows: Row[] = [];
    for (const race of races) rows.push(...(await run(race, log)));
    return rows;
  },
};

async function run(
  { engine, references, rounds, stepsPerRound }: Race,
  log: (line: string) => void,
): Promise<Row[]> {
  const other = busy();
  const names = ["ours", ...references] as const;
  const candidates = names.map(
    (name) => new StepProcess<Hello>(process.execPath, [worker, engine, name, String(batch)]),
  );
  try {
    const [{ ok, about }] = await Promise.all(candidates.map((c) => c.hello()));
    log(`train-step/${engine}: ${about}${other}`);
    if (!ok) return references.map((name) => row(`train-step/${engine}/${name}`, null, null, "ms", about));
    const losses: number[] = [];
    for (const candidate of candidates) losses.push((await candidate.steps(1)).loss);
    // From the same weights and batch; what isn't the same network isn't worth a time.
    if (!losses.every((loss) => Math.abs(loss - losses[0]) < 1e-4)) {
      throw new Error(
        `${engine}: the first losses differ: ${names.map((n, i) => `${n} ${losses[i]}`).join(", ")}`,
      );
    }
    const cpu = candidates.map((): number[] => []);
    const turns = candidates.map((candidate, i) => async () => {
      const { milliseconds, cpu: spent = [] } = await candidate.steps(stepsPerRound);
      cpu[i].push(...spent);
      return milliseconds;
    });
    const [ours, ...theirs] = await interleave(rounds, turns);
    // What other work on the machine hardly changes.
    const work = cpu.map((times) => median(times).toFixed(0));
    return references.map((name, i) =>
      row(
        `train-step/${engine}/${name}`,
        ours,
        theirs[i],
        "ms",
        `${descriptions[name]}; ${about}, batch ${batch}; processor time ${work[0]} against ${work[i + 1]} ms${other}`,
      ),
    );
  } finally {
    for (const candidate of candidates) candidate.stop();
  }
}
