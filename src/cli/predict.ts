/** `lipsc predict RUN IMAGE…`: the likeliest classes of images, with their probabilities. Its JSON: report/predict.schema.json. */
import { rank } from "../runtime/classify.ts";
import { decodeCrop, decodeWhole } from "../runtime/data/decode.ts";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { printDiagnostics } from "./print.ts";
import { tabulate } from "./report/table.ts";
import { headOf, openTrained, type TrainedOptions } from "./trained.ts";

export interface PredictOptions extends TrainedOptions {
  readonly images: readonly string[];
  /** How many classes to show. */
  readonly top: number;
  readonly format: "text" | "json";
}

interface Prediction {
  readonly image: string;
  readonly classes: readonly { readonly label: string; readonly probability: number }[];
}

export async function runPredict(options: PredictOptions): Promise<number> {
  const { trained, problems, sources } = await openTrained(options, 1);
  printDiagnostics(problems, sources);
  if (!trained) return 1;
  const { model, session, weights } = trained;
  const input = model.inputs[0];
  const [height, width, channels, ...more] = model.values[input.value].shape;
  if (channels === undefined || more.length > 0 || (channels !== 1 && channels !== 3)) {
    printDiagnostics(
      [
        diagnostic("run-option", input.span, {
          option: "predict",
          problem: "the model's input is no image [height, width, 1 or 3]",
        }),
      ],
      sources,
    );
    return 1;
  }
  // As the test images were seen.
  const asCrop = model.train?.data?.name === "imagenet";
  const label = (k: number): string => trained.classNames?.[k] ?? String(k);

  const broken: Diagnostic[] = [];
  const results: Prediction[] = [];
  for (const path of options.images) {
    const shape = [height, width, channels];
    const pixels = await (asCrop ? decodeCrop(path, shape, null) : decodeWhole(path, shape));
    if (!pixels.ok) {
      broken.push(pixels.problem);
      continue;
    }
    const values = Float32Array.from(pixels.value, (b) => b / 255);
    const outputs = await session.run({
      ...Object.fromEntries(weights),
      [`data/${input.name}`]: { dtype: "f32", dims: [1, height, width, channels], data: values },
    });
    const best = rank(outputs[model.outputs[0].name].data).slice(0, options.top);
    results.push({
      image: path,
      classes: best.map((b) => ({ label: label(b.label), probability: b.probability })),
    });
  }
  await session.release();
  if (options.format === "json") process.stdout.write(JSON.stringify(results) + "\n");
  else process.stdout.write(headOf(trained) + table(results));
  printDiagnostics(broken, sources);
  return broken.length > 0 ? 1 : 0;
}

/** One line per image: its classes, the likeliest first. */
function table(results: readonly Prediction[]): string {
  const rows = results.map(({ image, classes }) => [
    image,
    ...classes.flatMap(({ label, probability }) => [label, `${(100 * probability).toFixed(1)} %`]),
  ]);
  const columns = Array.from({ length: Math.max(0, ...rows.map((row) => row.length)) }, (_, i) => ({
    align: i > 0 && i % 2 === 0 ? ("right" as const) : ("left" as const),
  }));
  return tabulate(rows, columns, "")
    .map((line) => line + "\n")
    .join("");
}
