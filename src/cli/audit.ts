/**
 * `lipsc audit RUN_OR_SPEC`: how near the proven bounds of trained weights are to what perturbations really do. Searches
 * for the steepest one in l2, token and linf, and reports observed ≤ true ≤ proven. An observation above what is proven is
 * a soundness bug of lipsc: exit code 1, said loudly.
 */
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { entry, norms } from "../gain/gain.ts";
import type { Norm } from "../model/model.ts";
import { steepest, type Audit } from "../runtime/audit/ascent.ts";
import { openData } from "../runtime/data/open.ts";
import { fill } from "../runtime/data/samples.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { openEngine } from "../runtime/engines/select.ts";
import { notRunnable } from "../runtime/prepare.ts";
import { permutation } from "../runtime/random.ts";
import { certify, openWeights, type CertifyOptions, type Weighted } from "./certify.ts";
import { engineRequest, type EngineFlags } from "./engine-options.ts";
import { printDiagnostics, wantsColor } from "./print.ts";
import { plural, showBound, showFactor } from "./report/numbers.ts";
import { painter, tabulate, wrap, type Paint } from "./report/table.ts";

export interface AuditOptions extends Omit<CertifyOptions, "explainBound">, EngineFlags {
  readonly data: string | null;
  readonly restarts: number;
  readonly steps: number;
  readonly seed: number;
}

/** observed ≤ true ≤ upper, in one norm of input and output. */
export interface Bracket {
  readonly from: string;
  readonly to: string;
  readonly norm: Norm;
  readonly observed: number;
  readonly upper: number;
}

/** An observation above the proof, as an error; null where there is none. */
export function broken({ from, to, norm, observed, upper }: Bracket): Diagnostic | null {
  if (observed <= upper) return null;
  const names = { from, to, norm, observed: String(observed), upper: String(upper) };
  return diagnostic("bound-broken", null, names);
}

const say = (text: string): void => void process.stdout.write(text);

export async function runAudit(options: AuditOptions): Promise<number> {
  const color = options.color && wantsColor(process.stderr);
  const { weighted, problems, sources } = openWeights(options);
  const fail = (found: readonly Diagnostic[]): number => (printDiagnostics(found, sources, color), 1);
  if (!weighted) return fail(problems);
  const { model } = weighted;
  const refused = notRunnable(model);
  if (refused) return fail([refused]);
  const inputs = model.inputs.filter((input) => input.domain.kind !== "tokens");
  if (inputs.length === 0) {
    const problem = "the model's inputs hold token ids: there is no distance between them";
    return fail([diagnostic("run-option", model.span, { option: "audit", problem })]);
  }
  const engine = await openEngine(engineRequest(options));
  if (!engine.ok) return fail([engine.problem]);
  printDiagnostics(engine.notes, sources, color);
  const { report, subject } = certify(weighted, sources);
  const samples = await startsFrom(weighted, options);

  const text = options.format === "text";
  const paint = painter(options.color && wantsColor(process.stdout));
  const { name, version, device } = engine.value;
  if (text)
    say(
      `model    ${model.name} (${subject.weights.path})\nengine   ${name} ${version} on ${device}\n` +
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
  const brackets: Bracket[] = [];
  for (const input of inputs) {
    for (const output of model.outputs) {
      const gain = report.analysisOf("checkpoint").from(input.value).gain(output.value);
      const { restarts, steps, seed } = options;
      const search = { restarts, steps, seed, samples };
      const audit: Audit = { model, weights: state, engine: engine.value, input, output, ...search };
      for (const norm of norms) {
        const found = await steepest(audit, norm);
        if (!found.ok) return fail([found.problem]);
        const upper = entry(gain, norm, norm);
        brackets.push({ from: input.name, to: output.name, norm, observed: found.value.lower, upper });
      }
    }
  }
  const bugs = brackets.flatMap((bracket) => broken(bracket) ?? []);
  const seconds = (performance.now() - began) / 1000;
  if (text) say(auditText(brackets, seconds, paint));
  else {
    const rows = brackets.map(({ observed, upper, ...names }) => ({
      ...names,
      observed,
      upper: Number.isFinite(upper) ? upper : "Infinity",
      ratio: Number.isFinite(upper / observed) ? upper / observed : null,
    }));
    const { weights } = subject;
    const search = { restarts: options.restarts, steps: options.steps, seed: options.seed };
    say(
      JSON.stringify(
        { model: model.name, weights, engine: name, search, seconds, gains: rows, sound: bugs.length === 0 },
        null,
        2,
      ) + "\n",
    );
  }
  return bugs.length > 0 ? fail(bugs) : 0;
}

export function auditText(brackets: readonly Bracket[], seconds: number, paint: Paint): string {
  const several = new Set(brackets.map(({ from, to }) => `${from} ${to}`)).size > 1;
  const rows = brackets.map((bracket) => {
    const { from, to, norm, observed, upper } = bracket;
    const holds = broken(bracket) === null;
    return [
      holds ? paint("good", "✓") : paint("bad", "✗"),
      ...(several ? [`${from} → ${to}`] : []),
      norm,
      observed > 0 ? observed.toPrecision(4) : "0",
      holds ? "≤ true ≤" : "> !",
      showBound(upper),
      observed > 0 ? `×${showFactor(upper / observed)}` : "",
    ];
  });
  const { from, to } = brackets[0];
  const head = ["", ...(several ? [""] : []), "", "observed", "", "proven", "proven/observed"];
  const align = head.map((_, i) => ({ align: i < head.length - 4 ? ("left" as const) : ("right" as const) }));
  const [first, ...lines] = tabulate([head, ...rows], align);
  const told =
    "Observed: the largest ‖f(x) − f(y)‖/‖x − y‖ found between two inputs of the domain, in float64, less its rounding " +
    `error. A longer search (--restarts, --steps) may find more. ${seconds.toFixed(1)} s.`;
  return (
    [
      paint("bold", several ? "  gains" : `  gain ${from} → ${to}`),
      paint("dim", first),
      ...lines,
      "",
      ...wrap(told).map((line) => paint("dim", line)),
    ].join("\n") + "\n"
  );
}

/** Samples of the run's data for every second start; none where there are no data, or of another input. */
async function startsFrom({ model, place }: Weighted, options: AuditOptions): Promise<Float32Array[]> {
  const data = openData(model, options.data ?? place.data);
  if (!data.ok || model.inputs.length > 1) return [];
  const samples = data.value.test ?? data.value.train;
  const size = samples.shape.reduce((a, b) => a * b, 1);
  const which = permutation(samples.count, options.seed, 2).slice(0, Math.ceil(options.restarts / 2));
  const values = new Float32Array(which.length * size);
  const filled = await fill(samples, which, values, new Int32Array(which.length));
  return filled.ok ? which.map((_, i) => values.subarray(i * size, (i + 1) * size)) : [];
}
