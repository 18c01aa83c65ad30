#!/usr/bin/env node
/**
 * The command line. One file per command, loaded when the command runs.
 * Exit codes: 0 done or proven, 1 the spec has errors or a claim is not proven, 2 wrong usage, 70 a bug of lipsc,
 * 130 training stopped by Ctrl-C (and saved).
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { addProofCommands } from "./proof-commands.ts";
import { addRunCommands } from "./run-commands.ts";
import { version } from "./version.ts";

const program = new Command("lipsc")
  .description(
    "A compiler for neural networks: from one spec to shapes, a proven Lipschitz bound, and training.",
  )
  .version(version)
  .exitOverride()
  .showHelpAfterError("(lipsc --help shows the commands)");

/** `--set train.epochs=5`, as often as wanted. */
function assignment(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.indexOf("=");
  if (at <= 0 || text.slice(at + 1).trim() === "") throw new InvalidArgumentError("expected key=value.");
  return { ...before, [text.slice(0, at).trim()]: text.slice(at + 1).trim() };
}

/** `--formula FILE`: the file is not the form. */
function withFormulaAsText(argv: readonly string[]): string[] {
  const forms = ["text", "latex"];
  return argv.map((arg, i) => (arg === "--formula" && !forms.includes(argv[i + 1]) ? "--formula=text" : arg));
}

/** `--at tau=5`, as often as wanted. */
function setting(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=]+=\s*[\d.]+([eE][+-]?\d+)?\s*$/.test(text))
    throw new InvalidArgumentError("expected symbol=number, such as tau=5.");
  return [...before, text];
}

const set = (): Option =>
  new Option("--set <key=value>", "overrides a parameter or a train entry: --set classes=10")
    .argParser(assignment)
    .default({}, "nothing");

program
  .command("check")
  .description("shapes, parameters, costs, proven bounds and claims; exit code 1 where a claim is not proven")
  .argument("<file...>", "specs (.lips)")
  .addOption(
    new Option("--format <format>", "how to print")
      .choices(["text", "json", "sarif", "github"])
      .default("text"),
  )
  .option(
    "--explain-bound",
    "shows where the bound comes from, layer by layer, and each symbol at half and twice its value; cosine attention beside the paper's theorem",
  )
  .addOption(
    new Option(
      "--formula [form]",
      "the bounds as formulas in the numbers of the spec and the norms of its weights, for text or for LaTeX",
    )
      .choices(["text", "latex"])
      .preset("text"),
  )
  .addOption(
    new Option(
      "--at <symbol=value>",
      "the bounds with another value of alpha, tau, nu, eps, gamma or sigma, or of those whose path fits: --at tau=5 --at 'sigma:head.**=2'",
    )
      .argParser(setting)
      .default([], "nothing"),
  )
  .addOption(set())
  .option("--certificate <file>", "writes what is proven as a certificate, for `verify`")
  .option("--model <name>", "the model that the certificate is of, where there are several")
  .action(
    async (
      files: string[],
      flags: {
        format: "text";
        explainBound?: boolean;
        formula?: "text" | "latex";
        at: readonly string[];
        set: Record<string, string>;
        certificate?: string;
        model?: string;
      },
    ) => {
      const { runCheck, refuseOptions } = await import("./check.ts");
      const options = { ...flags, explainBound: flags.explainBound === true, formula: flags.formula ?? null };
      const refused = refuseOptions(options);
      if (refused) throw new CommanderError(2, "lipsc.options", `error: ${refused.message}`);
      process.exitCode = await runCheck(files, options);
    },
  );

program
  .command("solve")
  .description("the number that a spec leaves to its claims with `solve(in: [low, high])`")
  .argument("<file>", "a spec (.lips)")
  .option("--write", "puts the number into the file, in place of the call")
  .addOption(set())
  .action(async (file: string, flags: { write?: boolean; set: Record<string, string> }) => {
    const { runSolve } = await import("./solve.ts");
    process.exitCode = await runSolve({ ...flags, file, write: flags.write === true });
  });

program
  .command("fmt")
  .description("puts specs into canonical form, in place, and names those that it changed")
  .argument("<path...>", "specs (.lips), or folders of them")
  .option("--check", "changes nothing; exit code 1 where a file isn't in canonical form")
  .action(async (files: string[], flags: { check?: boolean }) => {
    const { runFormat } = await import("./fmt.ts");
    process.exitCode = runFormat(files, { check: flags.check === true });
  });

addRunCommands(program, set);
addProofCommands(program, set);

for (const command of program.commands) {
  command.option("--no-color", "plain text");
  command.showHelpAfterError(`(lipsc ${command.name()} --help shows its options)`);
}
program.hook("preAction", (_program, command) => {
  if (command.opts<{ color: boolean }>().color === false) process.env.NO_COLOR = "1";
});

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader went away (`lipsc check … | head`, a closed terminal): the work goes on to its own exit code.
    if (error.code === "EPIPE" || error.code === "EIO") return;
    if (stream === process.stdout)
      process.stderr.write(`error: the output can't be written: ${error.message}\n`);
    process.exit(1);
  });
}

try {
  await program.parseAsync(withFormulaAsText(process.argv));
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.code === "lipsc.options") process.stderr.write(error.message + "\n");
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(
      `${told}\n\nThis is a bug of lipsc ${version}, not of your spec. Please report it with the command line\n` +
        `  lipsc ${process.argv.slice(2).join(" ")}\nthe spec, and the lines above.\n`,
    );
    process.exitCode = 70;
  }
}
