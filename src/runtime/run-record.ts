/** config.json of a run folder: everything that the run was begun with, to go on with it or to run its weights. */
import type { TrainConfig } from "../model/model.ts";
import type { Provider } from "../targets/onnx/emitter.ts";

export interface RunRecord {
  readonly lipsc: string;
  readonly node: string;
  readonly platform: string;
  /** The engine that ran it, and what was asked for with --device and --threads. */
  readonly engine: string;
  readonly engineVersion: string;
  readonly device: string;
  readonly provider: Provider | null;
  readonly threads: number | null;
  readonly model: string;
  readonly modelHash: string;
  /** Absolute path of the spec, and its text. */
  readonly file: string;
  readonly spec: string;
  readonly set: Readonly<Record<string, string>>;
  /** Absolute path given with --data; null: what the spec says. */
  readonly data: string | null;
  readonly dataName: string;
  /** Training samples; other data would make another run. */
  readonly samples: number;
  readonly classNames: readonly string[] | null;
  readonly parameters: number;
  readonly recipe: TrainConfig;
  readonly steps: number;
  /** The weights are what the spec's constraints made of a run's: `lipsc write-out`. */
  readonly writtenOut?: true;
}

type Check = (x: unknown) => boolean;
const text: Check = (x) => typeof x === "string";
const whole: Check = (x) => Number.isSafeInteger(x) && (x as number) >= 0;
const fromOne: Check = (x) => whole(x) && x !== 0;
const object: Check = (x) => typeof x === "object" && x !== null && !Array.isArray(x);
const orNull =
  (check: Check): Check =>
  (x) =>
    x === null || check(x);
const listOf =
  (check: Check): Check =>
  (x) =>
    Array.isArray(x) && x.every(check);
const with_ =
  (fields: Readonly<Record<string, Check>>): Check =>
  (x) =>
    object(x) && Object.entries(fields).every(([key, check]) => check((x as Record<string, unknown>)[key]));
const option = with_({ name: text, args: object });

/** What this program reads back; the rest is for people. */
const fields: Readonly<Record<string, Check>> = {
  engine: text,
  provider: orNull((x) => x === "cpu" || x === "webgpu" || x === "cuda"),
  threads: orNull(fromOne),
  model: text,
  modelHash: text,
  file: text,
  set: (x) => object(x) && Object.values(x as object).every(text),
  data: orNull(text),
  samples: whole,
  classNames: orNull(listOf(text)),
  writtenOut: (x) => x === undefined || x === true,
  recipe: with_({
    augment: listOf(option),
    loss: listOf(with_({ weight: Number.isFinite, term: option })),
    optimizer: option,
    groups: listOf(option),
    schedule: option,
    epochs: orNull(fromOne),
    steps: orNull(fromOne),
    batch: fromOne,
    clip: orNull(Number.isFinite),
    average: orNull(option),
    seed: whole,
    report: listOf(option),
  }),
};

/** The first field of a config.json that is missing or of another type; null: it can be used. */
export function misfitOf(document: unknown): string | null {
  if (!object(document)) return "it is not a JSON object";
  const record = document as Record<string, unknown>;
  const wrong = Object.keys(fields).find((key) => !fields[key](record[key]));
  return wrong === undefined ? null : `its \`${wrong}\` is missing or can't be used`;
}
