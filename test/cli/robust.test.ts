import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkFiles, type Checked } from "../../src/cli/check.ts";
import { nodeHost } from "../../src/cli/host-node.ts";
import { explainBound } from "../../src/cli/report/explain.ts";
import { formulasLatex, formulasText } from "../../src/cli/report/formula.ts";
import { checkDocument } from "../../src/cli/report/json.ts";
import { painter } from "../../src/cli/report/table.ts";
import { textReport } from "../../src/cli/report/text.ts";
import { renderGithub } from "../../src/diagnostics/render-github.ts";
import { renderSarif } from "../../src/diagnostics/render-sarif.ts";
import { renderTerminal } from "../../src/diagnostics/render-terminal.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import { isUnsolved } from "../../src/model/model.ts";
import { resolveRecipe } from "../../src/runtime/run-config.ts";
import { corpus, mutated, scrambled, type Source } from "./mutations.ts";
import { schemaCheck } from "./schemas.ts";

/** More cases by hand: LIPSC_ROBUST_CASES=20000 npx vitest run test/cli/robust.test.ts --testTimeout 7200000 */
const cases = Number(process.env.LIPSC_ROBUST_CASES ?? "700");
const seed = Number(process.env.LIPSC_ROBUST_SEED ?? "20240611");
/** Seconds of this process's own work on one case; far above what any takes, so that a busy machine doesn't matter. */
const limit = Number(process.env.LIPSC_ROBUST_SECONDS ?? "8");
/** Graphs are built of models up to this many layers, so that the test stays short. */
const smallModel = 80;

const schemaErrors = schemaCheck("check");

/** Checks a source, prints it in every format and compiles what compiles: nothing may throw, or take long. */
function survive({ name, text }: Source): Checked {
  const host = { ...nodeHost, readText: (path: string) => (path === name ? text : nodeHost.readText(path)) };
  const begin = process.cpuUsage();
  const checked = checkFiles(host, [name]);
  const { reports, diagnostics, sources, code } = checked;
  const sourceOf = (file: string) => sources.get(file);
  const paint = painter(false);
  const shown = [
    ...reports.map((report) => textReport(report, sources, paint)),
    ...reports.map((report) => explainBound(report, sources, paint)),
    ...reports
      .filter(({ model }) => model.nodes.length <= smallModel)
      .map((report) => formulasText(report, sources, paint) + formulasLatex(report)),
    renderTerminal(diagnostics, sourceOf),
    renderGithub(diagnostics, sourceOf),
    JSON.stringify(renderSarif(diagnostics, sourceOf, "0")),
  ].join("\n");
  // A bound is a number or ∞; a message never shows what only the program knows.
  expect(/\bNaN\b|\bundefined\b|\[object|Infinity/.exec(shown)?.[0]).toBe(undefined);
  const document: unknown = JSON.parse(JSON.stringify(checkDocument(reports, diagnostics, sources)));
  expect(schemaErrors(document)).toEqual([]);
  for (const { matrices } of reports)
    for (const { upper } of matrices) for (const bound of upper) expect(bound >= 0).toBe(true);
  const errors = diagnostics.filter((d) => d.severity === "error");
  expect(code).toBe(errors.length > 0 ? 1 : 0);
  if (reports.length === 0 && /^model /m.test(text) && code === 0)
    throw new Error("a model went without a word");
  const { user, system } = process.cpuUsage(begin);
  expect((user + system) / 1e6).toBeLessThan(limit);
  if (errors.every((d) => d.code.startsWith("LIPS04"))) for (const { model } of reports) compile(model);
  return checked;
}

function compile(model: Checked["reports"][number]["model"]): void {
  const large = model.values.some(({ shape }) => shape.reduce((a, b) => a * b, 1) > 1e6);
  if (isUnsolved(model) || large || model.nodes.length > smallModel) return;
  const recipe = resolveRecipe(model, { epochs: 1, batch: 2, lr: null, seed: null });
  const results = [
    buildInferenceGraph(model, { batch: 2 }),
    recipe.ok ? buildTrainingGraph(model, recipe.value) : recipe,
  ];
  for (const result of results) if (!result.ok) expect(result.problem.code).toMatch(/^LIPS0[67]/);
}

describe("any spec gives a report and diagnostics, never an exception", () => {
  it("mutated", () => {
    const small = corpus.filter(
      ({ name }) => cases > 5000 || !/swin|cswin|lipsformer\.lips|baselines/.test(name),
    );
    fc.assert(
      fc.property(mutated(small), (source) => void survive(source)),
      { numRuns: cases, seed },
    );
  });
  it("scrambled", () => {
    fc.assert(
      fc.property(scrambled, (source) => void survive(source)),
      { numRuns: cases, seed },
    );
  });
});
