/** One training step by Muon against one by AdamW: the orthogonal perceptron with 4 layers of 512. */
import { openEngine } from "../../src/runtime/engines/select.ts";
import { busy, interleave, median, row, type Bench, type Row } from "../row.ts";
import { timedSteps } from "../timed-steps.ts";

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
      const steps = await Promise.all(
        optimizers.map((optimizer) =>
          timedSteps(engine, spec, { set: { "train.optimizer": optimizer }, batch }),
        ),
      );
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
