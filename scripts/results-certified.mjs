// The certified results of docs/results.md: trains each model of the table once per seed, evaluates it on the test images,
// audits it, and prints the tables.
//
//   npm run results:certified -- --data FASHION_MNIST_FOLDER [--out runs/certified] [--seeds 0,1,2] [--only ROW,ROW]
//                                [--threads N] [--table]
//
// What is there already isn't done again, and a training that was stopped goes on: start it as often as you like.
// Two processes with different --seeds and --threads 1 use two cores best. --table only prints what is there. --data: a
// folder with the IDX files of the whole Fashion-MNIST.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const project = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const epsilons = [0.1, 0.25, 0.5, 1];
/** The seed whose weights are audited: one tells what the others would. */
const audit = 0;

/** A row: what is trained, or (`of`) the trained weights of another row in a changed model, on `samples` test samples. */
const rows = [
  {
    name: "linear",
    title: "one linear map",
    spec: "certified-fashion-mlp",
    set: ["widths=[]"],
  },
  { name: "mlp", title: "perceptron", spec: "certified-fashion-mlp", set: [] },
  { name: "attention", title: "transformer with attention", spec: "certified-fashion", set: [] },
  {
    name: "attention-off",
    title: "… its attention off after training",
    of: "attention",
    set: ["share=0"],
    samples: 2000,
  },
  { name: "body", title: "… trained without attention", spec: "certified-fashion", set: ["attention=false"] },
  { name: "recall-mlp", title: "recall: perceptron", spec: "certified-recall", model: "RecallMlp", set: [] },
  {
    name: "recall",
    title: "recall: attention",
    spec: "certified-recall",
    model: "CertifiedRecall",
    set: [],
    // A small net: a longer search than the default takes minutes, and finds steeper points.
    search: ["--restarts", "96", "--steps", "2000"],
  },
  {
    name: "recall-off",
    title: "… its keys not compared (τ = 0) after training",
    of: "recall",
    set: ["tau=0"],
  },
];

const { values: args } = parseArgs({
  options: {
    data: { type: "string" },
    out: { type: "string", default: "runs/certified" },
    seeds: { type: "string", default: "0,1,2" },
    only: { type: "string" },
    threads: { type: "string" },
    table: { type: "boolean", default: false },
  },
});
const out = resolve(args.out);
const seeds = args.seeds.split(",").map(Number);
const chosen = rows.filter(({ name }) => !args.only || args.only.split(",").includes(name));

if (!args.table) {
  if (!args.data) fail("name the folder of Fashion-MNIST with --data");
  mkdirSync(out, { recursive: true });
  for (const seed of seeds) for (const row of chosen) make(row, seed);
}
print();

function make(row, seed) {
  const run = folderOf(row, seed);
  if (!row.of) train(row, seed, run);
  const evaluated = `${run}.eval.json`;
  if (!existsSync(evaluated)) {
    const search = ["--certify", "--eps", epsilons.join(","), "--attack", "steps=20,restarts=1"];
    const some = row.samples ? ["--samples", String(row.samples)] : [];
    save(evaluated, ["eval", ...weightsOf(row, seed), ...search, ...some, "--format", "json"]);
  }
  const audited = `${run}.audit.json`;
  if (!row.of && seed === audit && !existsSync(audited))
    save(audited, ["audit", run, "--no-blocks", ...(row.search ?? []), "--format", "json"]);
}

function train(row, seed, run) {
  if (existsSync(join(run, "model.safetensors"))) return;
  const data = row.spec.includes("recall") ? recallData() : resolve(args.data);
  const fresh = [specOf(row), ...options(row), "--data", data, "--seed", String(seed), "--out", run];
  const resumed = ["--resume", run];
  lipsc(["train", ...(existsSync(join(run, "checkpoint.safetensors")) ? resumed : fresh)], process.stderr.fd);
}

/** The run of a row; for a changed model the run whose weights it takes, and what is changed. */
function weightsOf(row, seed) {
  if (!row.of) return [folderOf(row, seed)];
  const trained = rows.find(({ name }) => name === row.of);
  return [folderOf(trained, seed), ...options(row)];
}

function recallData() {
  const folder = join(out, "recall-data");
  if (!existsSync(join(folder, "test_y.npy"))) run(["scripts/recall-data.mjs", folder], process.stderr.fd);
  return folder;
}

function save(file, command) {
  writeFileSync(file, lipsc(command, "pipe"));
}

function lipsc(command, stdout) {
  return run(["bin/lipsc.mjs", ...command, ...(args.threads ? ["--threads", args.threads] : [])], stdout);
}

function run(command, stdout) {
  console.error(`node ${command.join(" ")}`);
  const { status, stdout: text } = spawnSync(process.execPath, command, {
    cwd: project,
    stdio: ["inherit", stdout, "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) fail(`it ended with exit code ${status}: node ${command.join(" ")}`);
  return text;
}

function print() {
  const head = ["", "clean", ...epsilons.map((eps) => `ε = ${eps}`)];
  const lines = [head, head.map(() => "---")];
  for (const row of chosen) {
    const found = seeds.map((seed) => read(`${folderOf(row, seed)}.eval.json`)).filter(Boolean);
    if (found.length === 0) continue;
    const cells = epsilons.map((_, i) =>
      [(r) => r.certified, (r) => r.attacked]
        .map((of) => mean(found.map(({ rows: r }) => of(r[i]))))
        .join(" / "),
    );
    const on = row.samples ? `, ${found[0].data.samples} samples` : "";
    lines.push([`${row.title} (${found.length} seeds${on})`, mean(found.map((f) => f.clean)), ...cells]);
  }
  console.log("certified / attacked accuracy in %, mean ± standard deviation over seeds\n");
  console.log(lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
  console.log("\n| seed " + audit + " | observed | proven | proven/observed |\n|---|---|---|---|");
  for (const row of chosen) {
    const gain = read(`${folderOf(row, audit)}.audit.json`)?.gains.find(({ norm }) => norm === "l2");
    if (gain)
      console.log(
        `| ${row.title} | ${gain.observed.toFixed(4)} | ${gain.upper.toFixed(4)} | ${gain.ratio.toFixed(3)} |`,
      );
  }
}

/** "88.41 ± 0.12" of shares, in percent; the standard deviation is that of a sample. */
function mean(shares) {
  const average = shares.reduce((a, b) => a + b, 0) / shares.length;
  const square = shares.reduce((sum, x) => sum + (x - average) ** 2, 0) / Math.max(1, shares.length - 1);
  const spread = shares.length > 1 ? ` ± ${(100 * Math.sqrt(square)).toFixed(2)}` : "";
  return `${(100 * average).toFixed(2)}${spread}`;
}

function read(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
}

function folderOf(row, seed) {
  return join(out, `${row.name}-${seed}`);
}

function specOf({ spec }) {
  return `specs/${spec}.lips`;
}

function options({ model, set }) {
  return [...(model ? ["--model", model] : []), ...set.flatMap((change) => ["--set", change])];
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
