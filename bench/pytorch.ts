/** PyTorch in a child process that runs steps when it is told to. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "./project.ts";
import { StepProcess } from "./step-process.ts";

export interface PytorchSettings {
  readonly blasThreads: number;
  readonly torchThreads: number;
}

interface Hello {
  readonly version: string;
  readonly blas: string;
  readonly parameters: number;
}

/** A Python that has torch: $PYTHON, python3, or the system's own. */
export function findPython(): string | null {
  const candidates = [process.env.PYTHON, "python3", "/usr/bin/python3"].filter(
    (p): p is string => p !== undefined,
  );
  return (
    candidates.find(
      (python) => spawnSync(python, ["-c", "import torch"], { stdio: "ignore" }).status === 0,
    ) ?? null
  );
}

export class Pytorch extends StepProcess<Hello> {
  constructor(python: string, script: string, { blasThreads, torchThreads }: PytorchSettings, batch: number) {
    const threads = String(torchThreads);
    const blas = String(blasThreads);
    const env = {
      ...process.env,
      OPENBLAS_NUM_THREADS: blas,
      MKL_NUM_THREADS: blas,
      OMP_NUM_THREADS: threads,
    };
    super(python, [script, "--threads", threads, "--batch", String(batch)], env);
  }
}

/**
 * The script of bench/pytorch/ with the thread settings that are fastest here, found by a short try of each and warmed
 * up; null where there is no PyTorch. The note says what it is.
 */
export async function fastestPytorch(
  file: string,
  batch: number,
  log: (line: string) => void,
): Promise<{ reference: Pytorch | null; note: string }> {
  const python = findPython();
  if (python === null) return { reference: null, note: "no python3 with torch here" };
  const script = join(projectRoot, "bench", "pytorch", file);
  let best: { time: number; setting: PytorchSettings } | null = null;
  for (const blasThreads of [1, 2]) {
    for (const torchThreads of [1, 2]) {
      const setting = { blasThreads, torchThreads };
      const candidate = new Pytorch(python, script, setting, batch);
      await candidate.hello();
      const [, ...times] = await candidate.run(4);
      candidate.stop();
      const time = Math.min(...times);
      log(`  PyTorch, BLAS threads ${blasThreads}, own threads ${torchThreads}: ${time.toFixed(0)} ms`);
      if (best === null || time < best.time) best = { time, setting };
    }
  }
  if (best === null) return { reference: null, note: "PyTorch did not run" };
  const { blasThreads, torchThreads } = best.setting;
  const reference = new Pytorch(python, script, best.setting, batch);
  const { version, blas } = await reference.hello();
  await reference.run(2);
  const caution =
    blas === "reference BLAS"
      ? "; the unoptimised reference BLAS: install OpenBLAS for a fair comparison"
      : "";
  return {
    reference,
    note: `PyTorch ${version} eager, ${blas}, ${blasThreads} BLAS and ${torchThreads} own threads${caution}`,
  };
}
