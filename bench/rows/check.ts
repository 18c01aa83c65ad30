/** `lipsc check` as a whole process, from the start of node to its exit. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../project.ts";
import { median, row, type Bench, type Row } from "../row.ts";

const repeats = 7;

export const checkBench: Bench = {
  name: "check",
  async run(log) {
    const folder = mkdtempSync(join(tmpdir(), "lipsc-bench-"));
    try {
      const chain = (blocks: number) => {
        const file = join(folder, `chain-${blocks}.lips`);
        writeFileSync(file, chainSpec(blocks));
        return file;
      };
      const rows: Row[] = [];
      const time = (name: string, file: string, note: string) => {
        log(name);
        rows.push(row(name, checkSeconds(file), null, "s", note));
      };
      const none = "whole process; no reference";
      time("check/lipsformer-swin-tiny", join(projectRoot, "specs", "lipsformer-swin-tiny.lips"), none);
      time("check/500-blocks", chain(500), none);
      time("check/1000-blocks", chain(1000), none);
      time("check/2000-blocks", chain(2000), none);
      return rows;
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

/** Median of whole runs; a run that ends neither proven nor refused is a failure of the benchmark. */
function checkSeconds(file: string): number {
  const main = join(projectRoot, "dist", "src", "cli", "main.js");
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [main, "check", file, "--format", "json"], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    times.push((performance.now() - start) / 1000);
    if (status !== 0 && status !== 1)
      throw new Error(`lipsc check ${file} ended with ${status}: ${stderr.slice(0, 500)}`);
  }
  return median(times);
}

/** A deep residual network: each block is a linear map, an activation and a linear map behind a skip. */
function chainSpec(blocks: number): string {
  return `lips 1

model Chain {
  input x: [16] in [0, 1]
  let h = x
  for i in range(${blocks}) {
    h = h |> Residual(Linear(16) |> ReLU |> Linear(16), alpha: 1 / ${blocks})
  }
  output y = h |> Linear(2)
}
`;
}
