/** One training step with constrained weights against the same step with plain ones. */
import { openEngine } from "../../src/runtime/engines/select.ts";
import { busy, interleave, row, type Bench, type Row } from "../row.ts";
import { timedSteps } from "../timed-steps.ts";

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
      const steps = await Promise.all(
        ["none", ...constraints].map((c) =>
          timedSteps(engine, `bench/specs/constrained-${name}.lips`, { set: { constraint: c }, batch }),
        ),
      );
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
