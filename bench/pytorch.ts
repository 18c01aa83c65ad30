/** PyTorch in a child process that runs steps when it is told to. */
import { spawnSync } from "node:child_process";
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
