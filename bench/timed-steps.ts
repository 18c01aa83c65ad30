/** Training steps of a spec on random 28 × 28 images, timed one by one. */
import type { Engine, Session } from "../src/runtime/engine.ts";
import { loadTraining, scalar } from "./project.ts";

export interface TimedSteps {
  readonly session: Session;
  /** Milliseconds of processor time of each step so far, all threads together: says something on a busy machine too. */
  readonly cpu: readonly number[];
  /** Wall times of so many further steps, in milliseconds. */
  run(count: number): Promise<number[]>;
}

export async function timedSteps(
  engine: Engine,
  spec: string,
  options: { readonly set: Record<string, string>; readonly batch: number },
): Promise<TimedSteps> {
  const { batch } = options;
  const { graph, state } = loadTraining(spec, 0, options);
  const opened = await engine.open(graph, { carry: Object.keys(state) });
  if (!opened.ok) throw new Error(opened.problem.message);
  const session: Session = opened.value;
  await session.write(state);
  const image = Float32Array.from({ length: batch * 784 }, () => Math.random());
  const labels = Int32Array.from({ length: batch }, () => Math.floor(Math.random() * 10));
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
  return { session, cpu, run };
}
