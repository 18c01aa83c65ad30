/** What the commands that run a model share: from a spec file and a name to one Model. */
import { Diagnostics, diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { elaborateFile } from "../elaborate/elaborate.ts";
import type { Host } from "../host.ts";
import { isUnsolved, type Model } from "../model/model.ts";
import { solveModel } from "../solve/solve.ts";
import type { SourceFile } from "../text/source.ts";
import { tellUnsolved } from "./report/solved.ts";

export interface Loaded {
  /** null after errors. */
  readonly model: Model | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceFile>;
}

/**
 * Elaborates `file` and picks the model `wanted`; without a name the only one, or the only one with a `train` section.
 * Where the model leaves a number to its claims, that number is found first.
 * Errors of other models in the file don't matter here: a claim that fails is `check`'s business, not `train`'s.
 */
export function loadModel(
  host: Host,
  file: string,
  wanted: string | null,
  set: Record<string, string>,
): Loaded {
  const diagnostics = new Diagnostics();
  const { models, sources } = elaborateFile(host, file, diagnostics, { set });
  const model = diagnostics.hasErrors ? null : pick(models, file, wanted, diagnostics);
  if (!model || !isUnsolved(model)) return { model, diagnostics: diagnostics.all, sources };
  const solved = solveModel(host, file, set, model);
  if (solved.kind === "found") return { model: solved.model, diagnostics: diagnostics.all, sources };
  tellUnsolved(solved, model, sources, diagnostics);
  return { model: null, diagnostics: diagnostics.all, sources };
}

function pick(
  models: readonly Model[],
  file: string,
  wanted: string | null,
  diagnostics: Diagnostics,
): Model | null {
  if (wanted !== null) {
    const named = models.find((m) => m.name === wanted);
    if (!named) {
      const found = models.map((m) => m.name).join(", ") || "none";
      diagnostics.add(diagnostic("no-model", null, { file, wanted: `\`${wanted}\``, found }));
    }
    return named ?? null;
  }
  if (models.length === 1) return models[0];
  const trained = models.filter((m) => m.train !== null);
  if (trained.length === 1) return trained[0];
  if (models.length === 0)
    diagnostics.add(diagnostic("no-model", null, { file, wanted: "to run", found: "none" }));
  else
    diagnostics.add(
      diagnostic("several-models", null, { file, names: models.map((m) => m.name).join(", ") }),
    );
  return null;
}
