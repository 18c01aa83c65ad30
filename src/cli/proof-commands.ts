/** Declares the commands about what trained weights guarantee. Each loads its own file. */
import { CommanderError, Option, type Command } from "commander";

interface WeightsFlags {
  weights?: string;
  model?: string;
  set: Record<string, string>;
  format: "text" | "json";
  color: boolean;
}

export function addProofCommands(program: Command, set: () => Option): void {
  const aboutWeights = (command: Command): Command =>
    command
      .argument("<run>", "a run's folder, or a spec with --weights")
      .option("--weights <file>", "a .safetensors file")
      .option("--model <name>", "the model, where the file has several")
      .addOption(set())
      .addOption(new Option("--format <format>", "how to print").choices(["text", "json"]).default("text"))
      .option("--no-color", "plain text");

  aboutWeights(
    program
      .command("certify")
      .description(
        "proven bounds of trained weights, and the claims `at checkpoint`; exit code 1 where one is not proven",
      )
      .option("--explain-bound", "shows where the bound comes from, layer by layer"),
  ).action(async (path: string, flags: WeightsFlags & { explainBound?: boolean }) => {
    const explainBound = flags.explainBound === true;
    if (explainBound && flags.format !== "text")
      throw new CommanderError(
        2,
        "lipsc.options",
        "error: `--explain-bound`: it is part of the text report only.",
      );
    const { runCertify } = await import("./certify.ts");
    process.exitCode = await runCertify({
      ...flags,
      path,
      weights: flags.weights ?? null,
      model: flags.model ?? null,
      explainBound,
    });
  });
}
