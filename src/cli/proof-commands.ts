/** Declares the commands about what trained weights guarantee. Each loads its own file. */
import { CommanderError, Option, type Command } from "commander";
import type { Provider } from "../targets/onnx/emitter.ts";
import { count, seed, threads } from "./run-commands.ts";

interface WeightsFlags {
  weights?: string;
  model?: string;
  set: Record<string, string>;
  format: "text" | "json";
}

interface CertifyFlags {
  explainBound?: boolean;
  formula?: "text" | "latex";
  certificate?: string;
}

interface AuditFlags {
  restarts: number;
  steps: number;
  seed: number;
  blocks: boolean;
  data?: string;
  engine?: string;
  device?: Provider;
  threads?: number;
}

export function addProofCommands(program: Command, set: () => Option): void {
  const aboutWeights = (command: Command): Command =>
    command
      .argument("<run>", "a run's folder, or a spec with --weights")
      .option("--weights <file>", "a .safetensors file")
      .option("--model <name>", "the model, where the file has several")
      .addOption(set())
      .addOption(new Option("--format <format>", "how to print").choices(["text", "json"]).default("text"));

  aboutWeights(
    program
      .command("certify")
      .description(
        "proven bounds of trained weights, and the claims `at checkpoint`; exit code 1 where one is not proven",
      )
      .option("--explain-bound", "shows where the bound comes from, layer by layer")
      .addOption(
        new Option(
          "--formula [form]",
          "the bound as a formula in the norms of the weights, layer after layer, for text or for LaTeX",
        )
          .choices(["text", "latex"])
          .preset("text"),
      )
      .option("--certificate <file>", "writes what is proven as a certificate, for `verify`"),
  ).action(async (path: string, flags: WeightsFlags & CertifyFlags) => {
    const [explainBound, formula] = [flags.explainBound === true, flags.formula ?? null];
    const fail = (option: string, why: string): never => {
      throw new CommanderError(2, "lipsc.options", `error: \`${option}\`: ${why}.`);
    };
    if (flags.format !== "text" && explainBound)
      fail("--explain-bound", "it is part of the text report only");
    if (flags.format !== "text" && formula === "latex")
      fail("--formula latex", "JSON has both, text and LaTeX");
    const { runCertify } = await import("./certify.ts");
    process.exitCode = await runCertify({
      ...flags,
      path,
      weights: flags.weights ?? null,
      model: flags.model ?? null,
      explainBound,
      formula,
    });
  });

  program
    .command("write-out")
    .description(
      "computes what constraints make of a run's weights, once, and keeps it as a run without constraints",
    )
    .argument("<run>", "a run's folder")
    .requiredOption("--out <folder>", "the new run's folder")
    .option("--weights <file>", "other weights than the run's last")
    .action(async (path: string, { out, weights }: { out: string; weights?: string }) => {
      const { runWriteOut } = await import("./write-out.ts");
      process.exitCode = runWriteOut({ path, weights: weights ?? null, out });
    });

  program
    .command("verify")
    .description(
      "derives every step of a certificate again, in exact arithmetic; exit code 1 where one doesn't follow",
    )
    .argument("<certificate>", "a file that `check --certificate` or `certify --certificate` wrote")
    .option("--weights <file>", "the weights that it is about: their norms are proven again from the bytes")
    .option("--spec <file>", "a spec that it is about, as often as wanted: compares hashes", several)
    .action(async (certificate: string, flags: { weights?: string; spec?: readonly string[] }) => {
      const { check } = await import("../certificate/verify/main.ts");
      const { weights = null, spec: specs = [] } = flags;
      const { code, text } = check({ certificate, weights, specs });
      process.stdout.write(text);
      process.exitCode = code;
    });

  aboutWeights(
    program
      .command("audit")
      .description(
        "searches for the steepest perturbation of trained weights: observed ≤ true ≤ proven in l2, token and linf",
      )
      .option("--restarts <n>", "starts of the search", count, 16)
      .option("--steps <n>", "steps of gradient ascent for each", count, 150)
      .option("--seed <n>", "seed of the search", seed, 0)
      .option("--no-blocks", "only the whole model, not block by block")
      .option("--data <path>", "where starts come from, in place of the run's data")
      .option("--engine <name>", "what climbs; observations are confirmed in float64")
      .addOption(new Option("--device <device>", "where onnxruntime runs").choices(["cpu", "webgpu", "cuda"]))
      .option("--threads <n>", "threads of the CPU", threads),
  ).action(async (path: string, flags: WeightsFlags & AuditFlags) => {
    const { runAudit } = await import("./audit.ts");
    process.exitCode = await runAudit({
      ...flags,
      path,
      weights: flags.weights ?? null,
      model: flags.model ?? null,
      data: flags.data ?? null,
      engine: flags.engine ?? null,
      device: flags.device ?? null,
      threads: flags.threads ?? null,
    });
  });
}

function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
