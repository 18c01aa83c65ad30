/** `lipsc eval RUN`: loss and accuracy of trained weights on the test set. Its JSON: report/eval.schema.json. */
import { evaluate } from "../runtime/evaluate.ts";
import { openData } from "../runtime/data/open.ts";
import { listing } from "./listing.ts";
import { printDiagnostics } from "./print.ts";
import { showCount } from "./report/numbers.ts";
import { fact } from "./report/table.ts";
import { headOf, openTrained, type TrainedOptions } from "./trained.ts";
import { version } from "./version.ts";

export interface EvalOptions extends TrainedOptions {
  readonly data: string | null;
  readonly format: "text" | "json";
}

export async function runEval(options: EvalOptions): Promise<number> {
  const { trained, problems, sources } = await openTrained(options, 256);
  printDiagnostics(problems, sources);
  if (!trained) return 1;
  const { model, session, engine } = trained;
  const data = openData(model, options.data ?? trained.data, listing(process.stderr));
  if (!data.ok) return (printDiagnostics([data.problem], sources), 1);
  const samples = data.value.test ?? data.value.train;
  const names = { input: model.inputs[0].name, output: model.outputs[0].name };
  const result = await evaluate(session, trained.weights, samples, names, trained.batch);
  await session.release();
  if (!result.ok) return (printDiagnostics([result.problem], sources), 1);
  const { loss, accuracy, count } = result.value;
  if (options.format === "json") {
    process.stdout.write(
      JSON.stringify({
        lipsc: version,
        model: model.name,
        weights: trained.weightsPath,
        data: samples.name,
        set: data.value.test ? "test" : "train",
        engine: engine.name,
        device: engine.device,
        count,
        loss,
        accuracy,
      }) + "\n",
    );
    return 0;
  }
  process.stdout.write(
    headOf(trained) +
      fact(
        "data",
        `${samples.name}: ${showCount(count)} samples${data.value.test ? "" : " (there is no test set)"}`,
      ) +
      `accuracy ${(100 * accuracy).toFixed(2)} %   loss ${loss.toFixed(4)}\n`,
  );
  return 0;
}
