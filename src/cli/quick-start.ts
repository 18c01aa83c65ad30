/** `npm start`: the whole way once, on the bundled images: check, prove, train, and what to do next. */
import { entry } from "../gain/gain.ts";
import { bundled } from "../runtime/bundled.ts";
import { formatSeconds } from "../runtime/progress.ts";
import { checkFiles, runCheck } from "./check.ts";
import { nodeHost } from "./host-node.ts";
import { showBound, showCount } from "./report/numbers.ts";
import { trainModel } from "./train.ts";

const everything = {
  model: null,
  set: {},
  epochs: null,
  batch: null,
  lr: null,
  seed: null,
  data: null,
  engine: null,
  device: null,
  threads: null,
  out: null,
  resume: null,
  checkpointEvery: null,
  workers: null,
};

export async function runQuickStart(): Promise<number> {
  const began = performance.now();
  const file = bundled("specs/quick-start.lips");
  const say = (line: string): void => void process.stdout.write(line + "\n");

  say(`1. lipsc check ${file}\n`);
  const code = await runCheck([file], { format: "text", explainBound: false, set: {} });
  if (code !== 0) return code;

  say(`2. lipsc train ${file}\n`);
  const trained = await trainModel({ ...everything, file });
  if (trained.code !== 0 || !trained.folder) return trained.code;

  const [report] = checkFiles(nodeHost, [file]).reports;
  const { model } = report;
  const [input, output] = [model.inputs[0], model.outputs[0]];
  const bound = entry(report.analysisOf("init").from(input.value).gain(output.value), "l2", "l2");
  const test = trained.outcome?.test;
  say("");
  say(`3. What you have now (${formatSeconds((performance.now() - began) / 1000)} in all)\n`);
  if (test)
    say(
      `   test accuracy  ${(100 * test.accuracy).toFixed(1)} % of ${showCount(test.count)} images that training never saw`,
    );
  say(
    `   proven bound   ‖Δ${output.name}‖₂ ≤ ${showBound(bound)} · ‖Δ${input.name}‖₂ for the weights that training starts from`,
  );
  say(`   spec           ${file}`);
  say(
    `   run            ${trained.folder.path}: model.safetensors, checkpoint.safetensors, metrics.jsonl, config.json`,
  );
  say("");
  say(`   Next: npx lipsc check ${file} --explain-bound`);
  say(`         npx lipsc certify ${trained.folder.path}`);
  say(`         npx lipsc eval ${trained.folder.path}`);
  say(`         npx lipsc build ${trained.folder.path} --out build`);
  return 0;
}
