/** One training step by Muon against one by AdamW: the orthogonal perceptron with 4 layers of 512. */
import type { Engine, Session } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { loadTraining, scalar } from "../project.ts";
import { busy, interleave, median, row, type Bench, type Row } from "../row.ts";

const rounds = 4;
const stepsPerRound = 3;
const spec = "bench/specs/mlp-bench.lips";

export const muonBench: Bench = {
  name: "train-step/muon",
  async run(log) {
    const choice = await openEngine();
    if (!choice.ok) throw new Error(choice.problem.message);
    const engine = choice.value;
    const note = `${engine.name} ${engine.version}, ${engine.device}${busy()}`;
    const rows: Row[] = [];
    for (const batch of [128, 256]) {
      log(`train-step/muon: batch ${batch}, ${note}`);
      const optimizers = ["muon(lr: 0.02)", "muon(lr: 0.02, ns_steps: 3)", "adamw(lr: 1e-3)"];
      const steps = await Promise.all(optimizers.map((optimizer) => stepOf(engine, optimizer, batch)));
      for (const step of steps) await step.run(2);
      const [five, three, adamw] = await interleave(
        rounds,
        steps.map((step) => () => step.run(stepsPerRound)),
      );
      const cpu = steps.map((step) => median(step.cpu).toFixed(0)).join(", ");
      for (const step of steps) await step.session.release();
      const told = `processor time of a step by 5, 3 steps and AdamW ${cpu} ms`;
      const about = `4 × 512 orthogonal, batch ${batch}; reference: AdamW; ${told}; ${note}`;
      rows.push(
        row(`train-step/muon/${batch}`, five, adamw, "ms", about),
        row(`train-step/muon/${batch}/ns-3`, three, adamw, "ms", about),
      );
    }
    return rows;
  },
};

async function stepOf(engine: Engine, optimizer: string, batch: number) {
  const { graph, state } = loadTraining(spec, 0, { set: { "train.optimizer": optimizer }, batch });
  const opened = await engine.open(graph, { carry: Object.keys(state) });
  if (!opened.ok) throw new Error(opened.problem.message);
  const session: Session = opened.value;
  await session.write(state);
  const image = Float32Array.from({ length: batch * 784 }, () => Math.random());
  const labels = Int32Array.from({ length: batch }, () => Math.floor(Math.random() * 10));
  /** Milliseconds of processor time of each step, all threads together: says something on a busy machine too. */
  const cpu: number[] = [];
  let at = 0;
  const run = async (count: number): Promise<number[]> => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      at += 1;
      const before = process.cpuUsage();
      const start = performance.now();
      await session.run({
        "data/image": { dtype: "f32", dims: [batch, 28, 28, 1], data: image },
        labels: { dtype: "i32", dims: [batch], data: labels },
        "scalar/lr": scalar(1e-3),
        "scalar/step": scalar(at),
        "scalar/seed": scalar(0),
      });
      times.push(performance.now() - start);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1000);
    }
    return times;
  };
  return { session, run, cpu };
}
