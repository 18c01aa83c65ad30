/** Declares the commands that build and run models: build, train, eval, predict, quick-start. Each loads its own file. */
import { InvalidArgumentError, Option, type Command } from "commander";
import type { Provider } from "../targets/onnx/emitter.ts";
import { defaultAttack, parseAttack, parseEpsilons, type AttackChoice, type Epsilon } from "./eval-flags.ts";
import { targetNames, type TargetName } from "../targets/targets.ts";

/** Reads a whole number from 1. */
export const count = upTo(2 ** 31 - 1);
/** More than this is never faster, and engines have been seen to hang with thousands. */
export const threads = upTo(256);

const workers = upTo(256, 0);

function upTo(most: number, least = 1): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(n) || n < least || n > most)
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
    return n;
  };
}

/** Seeds go into the graph as float32: whole numbers below 2²⁴. */
export function seed(text: string): number {
  const n = Number(text);
  if (text.trim() === "" || !Number.isInteger(n) || n < 0 || n >= 2 ** 24)
    throw new InvalidArgumentError("expected a whole number from 0 to 16777215.");
  return n;
}

function positive(text: string): number {
  const x = Number(text);
  if (!(x > 0) || !Number.isFinite(x)) throw new InvalidArgumentError("expected a number above 0.");
  return x;
}

function epsilons(text: string): Epsilon[] {
  const found = parseEpsilons(text);
  if (!found) throw new InvalidArgumentError("expected numbers above 0 such as 36/255,0.5,1.");
  return found;
}

function attack(text: string): AttackChoice {
  const found = parseAttack(text);
  if (!found) throw new InvalidArgumentError("expected steps=50,restarts=2 (either of them), or none.");
  return found;
}

interface EngineFlags {
  engine?: string;
  device?: Provider;
  threads?: number;
  model?: string;
  set: Record<string, string>;
}

export function addRunCommands(program: Command, set: () => Option): void {
  const withEngine = (command: Command): Command =>
    command
      .option("--model <name>", "the model, where the file has several")
      .option(
        "--engine <name>",
        "onnxruntime-node, onnxruntime-web, tfjs (or tfjs-node-gpu, tfjs-node, tfjs-webgpu, tfjs-wasm, tfjs-cpu), reference",
      )
      .addOption(new Option("--device <device>", "where onnxruntime runs").choices(["cpu", "webgpu", "cuda"]))
      .option("--threads <n>", "threads of the CPU", threads)
      .addOption(set());
  const engineOf = (flags: EngineFlags) => ({
    engine: flags.engine ?? null,
    device: flags.device ?? null,
    threads: flags.threads ?? null,
    model: flags.model ?? null,
    set: flags.set,
  });

  program
    .command("build")
    .description("writes a model and its training step as code or graphs, with what is needed to run them")
    .argument("<file>", "a spec (.lips), with initial weights, or a run's folder, with its weights")
    .requiredOption("--out <folder>", "where to write")
    .addOption(new Option("--target <target>", "what to write").choices(targetNames).default("onnx"))
    .option("--model <name>", "the model, where the file has several")
    .option("--batch <n>", "samples in a training step", count)
    .option("--seed <n>", "seed of the initial weights", seed)
    .addOption(set())
    .action(
      async (
        file: string,
        flags: {
          out: string;
          target: TargetName;
          model?: string;
          batch?: number;
          seed?: number;
          set: Record<string, string>;
        },
      ) => {
        const { runBuild } = await import("./build.ts");
        const { out, target, model, batch, seed: seedFlag } = flags;
        process.exitCode = await runBuild({
          file,
          out,
          target,
          model: model ?? null,
          batch: batch ?? null,
          seed: seedFlag ?? null,
          set: flags.set,
        });
      },
    );

  program
    .command("convert")
    .description("puts weights of another code under the spec's names, or the other way")
    .argument(
      "<file>",
      "weights: .safetensors, or .pth as torch.save writes it (read without running anything)",
    )
    .requiredOption("--spec <file>", "the spec of the model (.lips)")
    .requiredOption("--out <file>", "the .safetensors file to write")
    .addOption(new Option("--from <layout>", "whose names the file has").choices(["lipsformer"]))
    .addOption(new Option("--to <layout>", "whose names to write").choices(["lipsformer"]).conflicts("from"))
    .option("--model <name>", "the model, where the spec has several")
    .addOption(set())
    .action(
      async (
        file: string,
        flags: {
          spec: string;
          out: string;
          from?: string;
          to?: string;
          model?: string;
          set: Record<string, string>;
        },
        command: Command,
      ) => {
        if (flags.from === undefined && flags.to === undefined)
          command.error("error: say whose names the file has: --from lipsformer (or --to lipsformer)");
        const { runConvert } = await import("./convert.ts");
        const { spec, out, model, set: values } = flags;
        process.exitCode = await runConvert({
          file,
          spec,
          out,
          model: model ?? null,
          set: values,
          direction: flags.from === undefined ? "to" : "from",
        });
      },
    );

  withEngine(
    program
      .command("train")
      .description("trains a model and keeps the run in a folder; Ctrl-C saves")
      .argument("[file]", "a spec (.lips)")
      .option("--epochs <n>", "in place of the spec's", count)
      .option("--batch <n>", "in place of the spec's", count)
      .option("--lr <rate>", "in place of the spec's", positive)
      .option("--seed <n>", "in place of the spec's", seed)
      .option("--data <path>", "a folder of IDX files, .npy files or images, or a .safetensors file")
      .option("--out <folder>", "the run's folder (default: a new one under runs/)")
      .option(
        "--resume <run>",
        "goes on with the run in this folder, to the same numbers as if it had never stopped",
      )
      .option("--checkpoint-every <steps>", "also between epochs", count)
      .option(
        "--workers <n>",
        "threads that read and augment samples, 0 for none (default: as many as pay); the numbers don't depend on it",
        workers,
      ),
  ).action(async (file: string | undefined, flags: EngineFlags & Partial<TrainFlags>, command: Command) => {
    if (file === undefined && flags.resume === undefined)
      command.error("error: name a spec to train, or a run to go on with: --resume RUN");
    const { runTrain } = await import("./train.ts");
    process.exitCode = await runTrain({
      ...engineOf(flags),
      file: file ?? null,
      epochs: flags.epochs ?? null,
      batch: flags.batch ?? null,
      lr: flags.lr ?? null,
      seed: flags.seed ?? null,
      data: flags.data ?? null,
      out: flags.out ?? null,
      resume: flags.resume ?? null,
      checkpointEvery: flags.checkpointEvery ?? null,
      workers: flags.workers ?? null,
    });
  });

  const format = (): Option =>
    new Option("--format <format>", "how to print").choices(["text", "json"]).default("text");
  withEngine(
    program
      .command("eval")
      .description(
        "loss and accuracy of trained weights on the test set; with --certify also attacked and certified",
      )
      .argument("<run>", "a run's folder, or a spec with --weights")
      .option("--weights <file>", "a .safetensors file")
      .option("--data <path>", "other data than the run's")
      .option("--certify", "accuracy that is proven to hold within --eps, beside accuracy under attack")
      .addOption(
        new Option("--eps <list>", "sizes of perturbations, in the units of the input")
          .argParser(epsilons)
          .default(null, "36/255,72/255,108/255,1"),
      )
      .addOption(new Option("--norm <norm>", "of the perturbations").choices(["l2", "linf"]).default("l2"))
      .option("--samples <n>", "a seeded choice of so many (default: all)", count)
      .option("--seed <n>", "of the choice and of the attack", seed, 0)
      .addOption(
        new Option("--attack <how>", "steps=50,restarts=2 or none")
          .argParser(attack)
          .default(null, "steps=20,restarts=2"),
      )
      .option("--no-rounding", "certify real arithmetic alone: the engine's float32 rounding isn't counted")
      .addOption(format()),
  ).action(async (path: string, flags: EngineFlags & EvalFlags, command: Command) => {
    const common = {
      ...engineOf(flags),
      path,
      weights: flags.weights ?? null,
      data: flags.data ?? null,
      format: flags.format,
    };
    if (flags.certify !== true) {
      const needless = ["eps", "norm", "samples", "seed", "attack", "rounding"].find(
        (name) => command.getOptionValueSource(name) === "cli",
      );
      if (needless !== undefined)
        command.error(`error: --${needless === "rounding" ? "no-rounding" : needless} needs --certify`);
      const { runEval } = await import("./eval.ts");
      process.exitCode = await runEval(common);
      return;
    }
    const { runEvalCertified } = await import("./eval-certified.ts");
    process.exitCode = await runEvalCertified({
      ...common,
      epsilons: flags.eps ?? epsilons("36/255,72/255,108/255,1"),
      norm: flags.norm,
      samples: flags.samples ?? null,
      seed: flags.seed,
      rounding: flags.rounding,
      attack: flags.attack ? flags.attack.attack : defaultAttack,
    });
  });

  withEngine(
    program
      .command("predict")
      .description("the likeliest classes of images")
      .argument("<run>", "a run's folder, or a spec with --weights")
      .argument("<image...>", "PNG or JPEG files")
      .option("--weights <file>", "a .safetensors file")
      .option("--top <n>", "how many classes", count, 3)
      .addOption(format()),
  ).action(
    async (
      path: string,
      images: string[],
      flags: EngineFlags & { weights?: string; top: number; format: "text" | "json" },
    ) => {
      const { runPredict } = await import("./predict.ts");
      process.exitCode = await runPredict({
        ...engineOf(flags),
        path,
        images,
        weights: flags.weights ?? null,
        top: flags.top,
        format: flags.format,
      });
    },
  );

  program
    .command("quick-start")
    .description("checks, proves and trains a small LipsFormer on the bundled images")
    .action(async () => {
      const { runQuickStart } = await import("./quick-start.ts");
      process.exitCode = await runQuickStart();
    });
}

interface EvalFlags {
  weights?: string;
  data?: string;
  format: "text" | "json";
  certify?: boolean;
  eps: Epsilon[] | null;
  norm: "l2" | "linf";
  samples?: number;
  seed: number;
  attack: AttackChoice | null;
  rounding: boolean;
}

interface TrainFlags {
  epochs: number;
  batch: number;
  lr: number;
  seed: number;
  data: string;
  out: string;
  resume: string;
  checkpointEvery: number;
  workers: number;
}
