/** The way from a file to its models: imports, constants, and every model whose parameters are all known. trust: T8 */
import type { Diagnostics } from "../diagnostics/diagnostic.ts";
import type { Host } from "../host.ts";
import type { Model } from "../model/model.ts";
import { parseFile } from "../syntax/parse.ts";
import type { Expr, ModelItem } from "../syntax/ast.ts";
import { commandLine, type SourceFile } from "../text/source.ts";
import { constantValue, fileFrame } from "./constants.ts";
import { loadFile, type LoadedFile } from "./files.ts";
import { ancestry, elaborateModel, recipesOf } from "./models.ts";
import type { Rational } from "./rational.ts";
import { Run } from "./run.ts";
import { trainKeys, type Override } from "./train.ts";
import { nearest } from "./words.ts";

export interface ElaborateOptions {
  /** `classes` → `10` for a parameter of the models, `train.epochs` → `5` for an entry of their runs. */
  readonly set?: Readonly<Record<string, string>>;
  /** One model of the file and no other. */
  readonly only?: string;
  /** The number that `solve(…)` stands for; left out: the lower end of its interval. */
  readonly unknown?: Rational;
}

export interface Elaborated {
  /** Models without a mistake, in the order of the file. */
  readonly models: Model[];
  /** All files that were read, by the name that spans carry. */
  readonly sources: Map<string, SourceFile>;
}

/**
 * Elaborates every model of a file whose parameters all have values (defaults, overrides, or arguments of its `train`).
 * Mistakes go to `diagnostics`; models with one are left out. Imported files' models are not elaborated.
 */
export function elaborateFile(
  host: Host,
  path: string,
  diagnostics: Diagnostics,
  options: ElaborateOptions = {},
): Elaborated {
  const run = new Run(host, diagnostics, options.unknown ?? null);
  const text = host.readText(path);
  if (text === undefined) {
    const why = host.whyUnreadable?.(path) ?? null;
    run.report(
      "import-missing",
      null,
      { from: path, why },
      why === null ? { help: "is the path right?" } : {},
    );
    return { models: [], sources: run.sources };
  }
  const file = loadFile(run, { name: path, text }, path, []);
  checkEdition(run, file);
  const overrides = readOverrides(run, file, options.set ?? {});
  const items = file.ast.items.filter((item): item is ModelItem => item.kind === "model");
  for (const train of file.trains) {
    const known = items.map((i) => i.name.text);
    if (train.model.text === "" || known.includes(train.model.text)) continue;
    run.report("train-model", train.model.span, {
      name: train.model.text,
      nearest: nearest(train.model.text, known),
    });
  }
  checkConstants(run, file);
  const models: Model[] = [];
  for (const item of items) {
    if (file.names.get(item.name.text)?.kind !== "model") continue;
    if (options.only !== undefined && options.only !== item.name.text) continue;
    const trains = file.trains.filter((t) => t.model.text === item.name.text);
    const given = new Set([
      ...overrides.parameters.keys(),
      ...trains.flatMap((t) => t.args.flatMap((a) => a.name?.text ?? [])),
    ]);
    if (item.params.some((p) => !p.default && !given.has(p.name.text))) continue;
    if (run.stopped) break;
    const model = elaborateModel(run, file, path, item, trains, overrides);
    if (model) models.push(model);
  }
  return { models, sources: run.sources };
}

function checkEdition(run: Run, file: LoadedFile): void {
  const { edition } = file.ast;
  if (edition && edition.number !== "1")
    run.report("unknown-edition", edition.span, { found: edition.number });
}

/** A mistake in a constant is told even where no model uses it. */
function checkConstants(run: Run, file: LoadedFile): void {
  run.startModel();
  for (const [name, known] of file.names) {
    if (known.kind === "constant" && known.file === file)
      constantValue(fileFrame({ run }, file), known, name, known.let.span);
  }
}

function readOverrides(run: Run, file: LoadedFile, set: Readonly<Record<string, string>>) {
  const parameters = new Map<string, Override>();
  const train = new Map<string, Override>();
  const items = file.ast.items.filter((item): item is ModelItem => item.kind === "model");
  const known = new Set(
    items.flatMap((item) =>
      ancestry(file, item).flatMap(({ model }) => model.params.map((p) => p.name.text)),
    ),
  );
  const trained = file.trains.length > 0 || items.some((item) => recipesOf(file, item).length > 0);
  for (const [key, text] of Object.entries(set)) {
    const parsed = parseOverride(run, key, text);
    if (!parsed) continue;
    const entry = key.startsWith("train.") ? key.slice("train.".length) : null;
    if (entry !== null && Object.hasOwn(trainKeys, entry) && trained) train.set(entry, parsed);
    else if (entry === null && known.has(key)) parameters.set(key, parsed);
    else {
      const all = [...known, ...(trained ? Object.keys(trainKeys).map((name) => `train.${name}`) : [])];
      const near = all.includes(`train.${key}`) ? `train.${key}` : nearest(key, all);
      run.report("unknown-override", null, { key, known: [...known], trained, nearest: near });
    }
  }
  return { parameters, train };
}

/** Reads a statement that is as long as what was written, and in the same place, so that its spans point into that. */
function parseOverride(run: Run, key: string, text: string): Override | null {
  const earlier = run.sources.get(commandLine)?.text ?? "";
  const written = `${earlier}--set ${key}=${text}\n`;
  run.sources.set(commandLine, { name: commandLine, text: written });
  const statement = "let v".padEnd(`--set ${key}`.length) + `=${text}\n`;
  const source = { name: commandLine, text: earlier.replace(/[^\n]/g, " ") + statement };
  const before = run.diagnostics.all.length;
  const [item] = parseFile(source, run.diagnostics).items;
  if (item?.kind !== "let" || run.diagnostics.all.length > before) return null;
  const value: Expr = item.value;
  return { value, span: value.span };
}
