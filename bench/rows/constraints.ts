/** One training step with constrained weights against the same step with plain ones. */
import type { Engine, Session } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { loadTraining, scalar } from "../project.ts";
import { busy, interleave, row, type Bench, type Row } from "../row.ts";

const rounds = 6;
const stepsPerRound = 3;
const batch = 128;

const cases = [
  ["mlp", "4 × 512", ["orthogonal", "spectral(1)", "aol", "frobenius(1)", "l1(1)"]],
  ["convs", "3 × 64 channels, 3 × 3, on 14 × 14", ["orthogonal", "spectral(1)", "l1(1)"]],
] as const;

export const constraintsBench: Bench = {
  name: "train-step/constraints",
  async run(log) {
    const choice = await openEngine();
    if (!choice.ok) throw new Error(choice.problem.message);
    const engine = choice.value;
    const note = `${engine.name} ${engine.version}, ${engine.device}${busy()}`;
    const rows: Row[] = [];
    for (const [name, size, constraints] of cases) {
      log(`train-step/constraints: ${name}, ${note}`);
      const steps = await Promise.all(["none", ...constraints].map((c) => stepOf(engine, name, c)));
      for (const step of steps) await step.run(2);
      const [plain, ...others] = await interleave(
        rounds,
        steps.map((step) => () => step.run(stepsPerRound)),
      );
      for (const step of steps) await step.session.release();
      const about = `${size}, batch ${batch}, AdamW; reference: plain weights; ${note}`;
      others.forEach((time, i) =>
        rows.push(row(`train-step/constraints/${name}/${constraints[i]}`, time, plain, "ms", about)),
      );
    }
    return rows;
  },
};

async function stepOf(engine: Engine, name: string, constraint: string) {
  const { graph, state } = loadTraining(`bench/specs/constrained-${name}.lips`, 0, {
    set: { constraint },
    batch,
  });
  const opened = await engine.open(graph, { carry: Object.keys(state) });
  if (!opened.ok) throw new Error(opened.problem.message);
  const session: Session = opened.value;
  await session.write(state);
  const image = Float32Array.from({ length: batch * 784 }, () => Math.random());
  const labels = Int32Array.from({ length: batch }, () => Math.floor(Math.random() * 10));
  let at = 0;
  const run = async (count: number): Promise<number[]> => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      at += 1;
      const start = performance.now();
      await session.run({
        "data/image": { dtype: "f32", dims: [batch, 28, 28, 1], data: image },
        labels: { dtype: "i32", dims: [batch], data: labels },
        "scalar/lr": scalar(1e-3),
        "scalar/step": scalar(at),
        "scalar/seed": scalar(0),
      });
      times.push(performance.now() - start);
    }
    return times;
  };
  return { session, run };
}
