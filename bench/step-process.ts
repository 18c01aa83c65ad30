/** A child process that makes training steps when it is told to: one line of JSON at the start and for each request. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface, type Interface } from "node:readline";

/** What a request is answered with. */
interface Answer {
  readonly milliseconds: number[];
  /** Milliseconds of processor time of each step, all threads together, where the process tells. */
  readonly cpu?: number[];
  /** Of the last step, before its update. */
  readonly loss: number;
}

export class StepProcess<Hello> {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly reader: Interface;

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(program, args, { env, stdio: ["pipe", "pipe", "inherit"] });
    this.reader = createInterface({ input: this.child.stdout as NodeJS.ReadableStream });
    this.lines = this.reader[Symbol.asyncIterator]();
  }

  /** The first line: what it is that will run. */
  async hello(): Promise<Hello> {
    return (await this.answer()) as Hello;
  }

  /** Milliseconds of each of `count` steps. */
  async run(count: number): Promise<number[]> {
    return (await this.steps(count)).milliseconds;
  }

  async steps(count: number): Promise<Answer> {
    return (await this.ask(`run ${count}`)) as Answer;
  }

  /** The answer to any request that the process knows. */
  async ask(request: string): Promise<unknown> {
    this.child.stdin?.write(`${request}\n`);
    return this.answer();
  }

  stop(): void {
    this.child.stdin?.end();
    this.reader.close();
  }

  private async answer(): Promise<unknown> {
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error(`${this.child.spawnfile} ended early`);
    return JSON.parse(value);
  }
}
