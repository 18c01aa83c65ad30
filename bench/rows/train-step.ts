/** One training step of the 27.15-GFLOP vision transformer, against PyTorch eager and against bare matrix products. */
import { Builder } from "../../src/graph/builder.ts";
import type { Engine, HostTensor, Session } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { loadTraining, scalar, type Training } from "../project.ts";
import { fastestPytorch } from "../pytorch.ts";
import { busy, interleave, row, type Bench, type Row } from "../row.ts";

/** 3 × 2 × 35 356 224 multiply-adds × 128 samples. */
const stepFlop = 3 * 2 * 35_356_224 * 128;
const rounds = 8;
const stepsPerRound = 3;
const side = 2048;

export const trainStepBench: Bench = {
  name: "train-step/vit",
  async run(log) {
    const engine = await theEngine();
    const about = `${engine.name} ${engine.version}, ${engine.device}`;
    const other = busy();
    log(`train-step/vit: ${about}${other}`);
    const step = await trainingStep(engine, loadTraining("bench/specs/vit-bench.lips"));
    const product = await matrixProduct(engine);
    const { reference, note } = await fastestPytorch("vit.py", 128, log);
    await step.run(2);
    await product.run(1);

    const turns = [
      () => step.run(stepsPerRound),
      () => product.run(1),
      ...(reference === null ? [] : [() => reference.run(stepsPerRound)]),
    ];
    const [ours, bare, theirs] = await interleave(rounds, turns);
    reference?.stop();
    await step.release();
    await product.release();

    const rate = (2 * side ** 3) / (bare / 1000);
    const limit = (stepFlop / rate) * 1000;
    const limitNote = `the step's matrix products alone at ${(rate / 1e9).toFixed(0)} GFLOP/s; ${about}`;
    const rows: Row[] = [
      row("train-step/vit/pytorch", ours, theirs ?? null, "ms", note + other),
      row("train-step/vit/matmul-limit", ours, limit, "ms", limitNote + other),
    ];
    return rows;
  },
};

async function theEngine(): Promise<Engine> {
  const choice = await openEngine();
  if (!choice.ok) throw new Error(choice.problem.message);
  return choice.value;
}

interface Candidate {
  /** Milliseconds of each of `count` runs. */
  run(count: number): Promise<number[]>;
  release(): Promise<void>;
}

function timed(session: Session, feeds: (at: number) => Record<string, HostTensor>): Candidate {
  let at = 0;
  return {
    async run(count) {
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        at += 1;
        const fed = feeds(at);
        const start = performance.now();
        await session.run(fed);
        times.push(performance.now() - start);
      }
      return times;
    },
    release: () => session.release(),
  };
}

async function trainingStep(engine: Engine, { model, graph, state }: Training): Promise<Candidate> {
  const session = await opened(engine, graph, Object.keys(state));
  await session.write(state);
  const batch = model.train?.batch ?? 0;
  const image = Float32Array.from({ length: batch * 784 }, () => Math.random());
  const labels = Int32Array.from({ length: batch }, () => Math.floor(Math.random() * 10));
  return timed(session, (at) => ({
    "data/image": { dtype: "f32", dims: [batch, 28, 28, 1], data: image },
    labels: { dtype: "i32", dims: [batch], data: labels },
    "scalar/lr": scalar(1e-3),
    "scalar/step": scalar(at),
    "scalar/seed": scalar(0),
  }));
}

/** A float32 product of two square matrices, its sum as the only output. */
async function matrixProduct(engine: Engine): Promise<Candidate> {
  const b = new Builder();
  const [x, y] = [b.input("x", [side, side]), b.input("y", [side, side])];
  const session = await opened(
    engine,
    b.graph("product", [{ name: "sum", tensor: b.max(b.matmul(x, y), [0, 1]) }]),
    [],
  );
  const random = (): HostTensor => ({
    dtype: "f32",
    dims: [side, side],
    data: Float32Array.from({ length: side * side }, () => Math.random()),
  });
  const feeds = { x: random(), y: random() };
  return timed(session, () => feeds);
}

async function opened(engine: Engine, graph: Training["graph"], carry: string[]): Promise<Session> {
  const session = await engine.open(graph, { carry });
  if (!session.ok) throw new Error(session.problem.message);
  return session.value;
}
