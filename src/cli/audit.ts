/**
 * `lipsc audit RUN_OR_SPEC`: how near the proven bounds of trained weights are to what perturbations really do. Searches
 * for the steepest one in l2, token and linf, and reports observed ≤ true ≤ proven. An observation above what is proven is
 * a soundness bug of lipsc: exit code 1, said loudly. Its JSON: report/audit.schema.json.
 */
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { good, type Result } from "../diagnostics/result.ts";
import type { Analysis } from "../gain/analyze.ts";
import { entry, norms } from "../gain/gain.ts";
import type { Model, ModelInput, ModelOutput, ValueId } from "../model/model.ts";
import { stretchesBetween, type Stretch } from "../model/stretches.ts";
import { steepest, type Audit } from "../runtime/audit/ascent.ts";
import { openData } from "../runtime/data/open.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { openEngine } from "../runtime/engines/select.ts";
import { startsFrom } from "../runtime/audit/starts.ts";
import { certify, openWeights, type CertifyOptions, type Weighted } from "./certify.ts";
import { countedProgress } from "./counted-progress.ts";
import { engineRequest, type EngineFlags } from "./engine-options.ts";
import { printDiagnostics, wantsColor } from "./print.ts";
import { auditText, bracketDocument, broken, type BlockBrackets, type Bracket } from "./report/audit.ts";
import { plural } from "./report/numbers.ts";
import { painter } from "./report/table.ts";
import { version } from "./version.ts";

export interface AuditOptions extends Omit<CertifyOptions, "explainBound" | "formula">, EngineFlags {
  readonly data: string | null;
  readonly restarts: number;
  readonly steps: number;
  readonly seed: number;
  /** Whether blocks are searched one by one, too. */
  readonly blocks: boolean;
}

const say = (text: string): void => void process.stdout.write(text);

export async function runAudit(options: AuditOptions): Promise<number> {
  const { weighted, problems, sources } = openWeights(options);
  const fail = (found: readonly Diagnostic[]): number => (printDiagnostics(found, sources), 1);
  if (!weighted) return fail(problems);
  printDiagnostics(problems, sources);
  const { model } = weighted;
  const inputs = model.inputs.filter((input) => input.domain.kind !== "tokens");
  if (inputs.length === 0) {
    const problem = "the model's inputs hold token ids: there is no distance between them";
    return fail([diagnostic("run-option", model.span, { option: "audit", problem })]);
  }
  const engine = await openEngine(engineRequest(options));
  if (!engine.ok) return fail([engine.problem]);
  printDiagnostics(engine.notes, sources);
  const { report, subject } = certify(weighted, sources);
  const samples = await samplesOf(weighted, options);

  const text = options.format === "text";
  const paint = painter(wantsColor(process.stdout));
  const { name, version: engineVersion, device } = engine.value;
  if (text)
    say(
      `model    ${model.name} (${subject.weights.path})\nengine   ${name} ${engineVersion} on ${device}\n` +
        `search   ${plural(options.restarts, "start")}, ${samples.length > 0 ? `${samples.length} of them from the data, ` : ""}` +
        `${plural(options.steps, "step")} each, seed ${options.seed}\n\n`,
    );
  const began = performance.now();
  const state = new Map<string, HostTensor>(
    model.weights.map((w) => [
      `param/${w.path}`,
      { dtype: "f32", dims: w.shape, data: weighted.tensors.get(w.path) as Float32Array },
    ]),
  );
  const { restarts, steps, seed } = options;
  const analysis = report.analysisOf("checkpoint");
  const common = { model, weights: state, engine: engine.value, seed, samples };
  const ends = inputs.flatMap((input) => model.outputs.map((output) => ({ input, output })));
  const parts = ends.flatMap(({ input, output }) =>
    options.blocks ? blocksBetween(model, input, output).map((part) => ({ input, ...part })) : [],
  );
  const progress = countedProgress(process.stderr, "searches", text);
  const searches = norms.length * (ends.length + parts.length);
  let done = 0;
  const onSearch = (): void => progress(++done, searches);
  const brackets: Bracket[] = [];
  for (const { input, output } of ends) {
    const audit = { ...common, input, from: null, to: output.value, restarts, steps };
    const found = await bracket(analysis, audit, { from: input.name, to: output.name }, onSearch);
    if (!found.ok) return fail([found.problem]);
    brackets.push(...found.value);
  }
  const blocks: BlockBrackets[] = [];
  for (const { name: block, input, from, to } of parts) {
    // Shorter searches: there are many, and a part of a model is easier to climb.
    const half = { restarts: Math.ceil(restarts / 2), steps: Math.ceil(steps / 2) };
    const audit = { ...common, ...half, input, from: from === input.value ? null : from, to };
    const found = await bracket(
      analysis,
      audit,
      { from: nameOf(model, from), to: nameOf(model, to) },
      onSearch,
    );
    if (!found.ok) return fail([found.problem]);
    blocks.push({ name: block, brackets: found.value });
  }
  const all = [...brackets, ...blocks.flatMap((block) => block.brackets)];
  const bugs = all.flatMap((found) => broken(found) ?? []);
  const seconds = (performance.now() - began) / 1000;
  if (text) say(auditText(brackets, blocks, seconds, paint));
  else {
    const search = { restarts, steps, seed };
    const { weights } = subject;
    const sound = bugs.length === 0;
    const gains = brackets.map(bracketDocument);
    const ofBlocks = blocks.map((block) => ({
      block: block.name,
      gains: block.brackets.map(bracketDocument),
    }));
    const document = {
      lipsc: version,
      model: model.name,
      weights,
      engine: name,
      search,
      seconds,
      gains,
      blocks: ofBlocks,
      sound,
    };
    say(JSON.stringify(document, null, 2) + "\n");
  }
  return bugs.length > 0 ? fail(bugs) : 0;
}

/** observed ≤ true ≤ proven from one value to another, in each norm. */
async function bracket(
  analysis: Analysis,
  audit: Audit,
  names: { readonly from: string; readonly to: string },
  onSearch: () => void,
): Promise<Result<Bracket[]>> {
  const gain = analysis.gainFrom(audit.from ?? audit.input.value, audit.to);
  const brackets: Bracket[] = [];
  for (const norm of norms) {
    const found = await steepest(audit, norm);
    if (!found.ok) return found;
    onSearch();
    brackets.push({ ...names, norm, observed: found.value.lower, upper: entry(gain, norm, norm) });
  }
  return good(brackets);
}

/** The model's parts in a chain; none where the chain has one link, which is the model itself. */
function blocksBetween(model: Model, input: ModelInput, output: ModelOutput): Stretch[] {
  const found = stretchesBetween(model, input.value, output.value);
  return found.length > 1 ? found : [];
}

/** What the spec calls a value, or the layer that gives it. */
function nameOf(model: Model, value: ValueId): string {
  const tap = model.taps.find((t) => t.value === value)?.name;
  return tap ?? model.nodes.find(({ outputs }) => outputs.includes(value))?.path ?? `value ${value}`;
}

/** Samples of the run's data for every second start; none where there are no data, or of another input. */
async function samplesOf(
  { model, place }: Weighted,
  options: AuditOptions,
): Promise<readonly Float32Array[]> {
  const data = openData(model, options.data ?? place.data);
  if (!data.ok || model.inputs.length > 1) return [];
  const starts = await startsFrom(data.value.test ?? data.value.train, options.restarts, options.seed);
  return starts.ok ? starts.value : [];
}
