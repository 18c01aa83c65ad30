/**
 * `lipsc write-out RUN --out FOLDER`: what the constraints of a trained model make of its weights, computed once, in float64,
 * and kept as float32 numbers in a run of its own. The network of these numbers has no constraint: any engine reads them as
 * they are, `build` makes plain layers of them, and a certificate of them is proven again from their bytes. trust: T14
 */
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { isConstrained, plain } from "../measure/effective.ts";
import { encodeWeights, modelHash } from "../runtime/checkpoint.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { isFolder, writeWhole } from "../runtime/files.ts";
import { createFolder, newFolder, readRecord, runFolder } from "../runtime/run-folder.ts";
import { openWeights } from "./certify.ts";
import { printDiagnostics } from "./print.ts";
import { plural } from "./report/numbers.ts";
import { fact } from "./report/table.ts";

export interface WriteOutOptions {
  /** The run's folder. */
  readonly path: string;
  /** Other weights than the run's last. */
  readonly weights: string | null;
  readonly out: string;
}

export function runWriteOut({ path, weights: other, out }: WriteOutOptions): number {
  const { weighted, problems, sources } = openWeights({ path, weights: other, model: null, set: {} });
  const fail = (...found: readonly Diagnostic[]): number => (printDiagnostics(found, sources), 1);
  if (!weighted) return fail(...problems);
  const { model, tensors } = weighted;
  const refuse = (problem: string): number =>
    fail(diagnostic("run-option", null, { option: "write-out", problem }));
  if (!isFolder(path)) return refuse(`\`${path}\` is no run: name the folder of one`);
  if (!isConstrained(model))
    return refuse("no weight of this model has a constraint: there is nothing to write out");
  const made = plain(model, tensors);
  if (!made)
    return refuse(
      "nothing is proven of what a constraint makes of these weights (numbers too large, or none)",
    );
  const record = readRecord(runFolder(path));
  if (!record.ok) return fail(record.problem);
  const folder = newFolder(out, model.name);
  if (!folder.ok) return fail(folder.problem);
  const created = createFolder(folder.value, {
    ...record.value,
    modelHash: modelHash(made.model),
    writtenOut: true,
  });
  if (!created.ok) return fail(created.problem);
  const state = new Map(
    made.model.weights.map(({ path: name, shape }): [string, HostTensor] => [
      `param/${name}`,
      { dtype: "f32", dims: shape, data: made.tensors.get(name) ?? new Float32Array(0) },
    ]),
  );
  const written = writeWhole(folder.value.weights, encodeWeights(made.model, state));
  if (!written.ok) return fail(written.problem);
  const constrained = model.weights.filter(({ constraint }) => constraint.kind !== "none").length;
  process.stdout.write(
    fact(
      "model",
      `${model.name}: ${constrained} of ${plural(model.weights.length, "weight")} written out, in float64, rounded to float32`,
    ) + fact("run", `${out}  (for certify, verify, eval, audit, predict and build; it can't be trained on)`),
  );
  return 0;
}
