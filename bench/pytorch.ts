/** PyTorch in a child process that runs steps when it is told to. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createInterface, type Interface } from "node:readline";

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

export class Pytorch {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly reader: Interface;

  constructor(python: string, script: string, { blasThreads, torchThreads }: PytorchSettings, batch: number) {
    const threads = String(torchThreads);
    const blas = String(blasThreads);
    const env = {
      ...process.env,
      OPENBLAS_NUM_THREADS: blas,
      MKL_NUM_THREADS: blas,
      OMP_NUM_THREADS: threads,
    };
    const args = [script, "--threads", threads, "--batch", String(batch)];
    this.child = spawn(python, args, { env, stdio: ["pipe", "pipe", "inherit"] });
    this.reader = createInterface({ input: this.child.stdout as NodeJS.ReadableStream });
    this.lines = this.reader[Symbol.asyncIterator]();
  }
  async hello(): Promise<Hello> {
    return (await this.answer()) as Hello;
  }
  /** Milliseconds of each of `count` steps. */
  async run(count: number): Promise<number[]> {
    this.child.stdin?.write(`run ${count}\n`);
    return ((await this.answer()) as { milliseconds: number[] }).milliseconds;
  }
  stop(): void {
    this.child.stdin?.end();
    this.reader.close();
  }
  private async answer(): Promise<unknown> {
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error("PyTorch ended early");
    return JSON.parse(value);
  }
}
