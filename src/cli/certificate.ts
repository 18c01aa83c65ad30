/** `check --certificate` and `certify --certificate`: writes what was proven as a document that `verify` derives again. */
import { basename, isAbsolute } from "node:path";
import { writeCertificate, type PhaseOfProof, type Subject } from "../certificate/write.ts";
import type { Certificate, HashedFile, Proof } from "../certificate/verify/document.ts";
import { Refusal } from "../certificate/verify/refusal.ts";
import { verify } from "../certificate/verify/verify.ts";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Analysis } from "../gain/analyze.ts";
import { isUnsolved, type Model } from "../model/model.ts";
import { seen, writeWhole } from "../runtime/files.ts";
import { version } from "./version.ts";

export interface Written {
  readonly certificate: Certificate | null;
  /** What to tell; the problem where there is no certificate. */
  readonly text: string;
  readonly problem: Diagnostic | null;
}

/** Writes the certificate of a model, after checking it as a reader would. */
export function writeCertificateFile(
  path: string,
  model: Model,
  phases: readonly PhaseOfProof[],
  subject: Omit<Subject, "lipsc">,
): Written {
  const fail = (problem: Diagnostic): Written => ({ certificate: null, text: "", problem });
  const option = (text: string): Diagnostic =>
    diagnostic("run-option", null, { option: "--certificate", problem: text });
  if (isUnsolved(model)) return fail(option("the model waits for the number that `solve` stands for"));
  try {
    const specs = subject.specs.map(portable);
    const weights = subject.weights && portable(subject.weights);
    const certificate = writeCertificate(model, phases, { ...subject, specs, weights, lipsc: version });
    const json = JSON.stringify(certificate) + "\n";
    verify(json);
    const written = writeWhole(path, json);
    if (!written.ok) return fail(written.problem);
    return { certificate, text: told(path, certificate, phases), problem: null };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return fail(option(`there is no certificate of this model: \`${error.where}\`: ${error.message}`));
  }
}

/** By the path from here, or by the name alone where the file lies elsewhere: a certificate is read on other machines. */
function portable({ path, sha256 }: HashedFile): HashedFile {
  if (!isAbsolute(path)) return { path, sha256 };
  const near = seen(path);
  return { path: (isAbsolute(near) ? basename(path) : near).replaceAll("\\", "/"), sha256 };
}

/** One line for the file, and one for every bound that the certificate shows less tightly than the analysis. */
function told(
  path: string,
  { model, proofs }: Certificate,
  phases: readonly { readonly analysis: Analysis }[],
): string {
  const constrained = model.weights.some(({ constraint }) => constraint.kind !== "none");
  const lines = [
    `  certificate  ${path}  (checked; others check it with \`lipsc verify ${basename(path)}\`)`,
  ];
  proofs.forEach((proof, i) => {
    for (const input of model.inputs) {
      const gains = phases[i].analysis.from(input.value);
      for (const output of model.outputs) {
        const [shown, proven] = [l2Of(proof, input.value, output.value), gains.gain(output.value).entries[0]];
        // Room for the checker's roundings is not worth a word.
        if (shown === null || !(shown > proven * (1 + 1e-6))) continue;
        lines.push(
          `               it shows ${input.name} → ${output.name} ${shown.toPrecision(4)} in l2, not ${proven.toPrecision(4)}: ` +
            (constrained
              ? "of constrained weights only what the constraint guarantees (`lipsc write-out RUN` makes weights of them)"
              : "a rule above is not among the checker's"),
        );
      }
    }
  });
  return lines.join("\n") + "\n";
}

function l2Of({ derivations }: Proof, source: number, value: number): number | null {
  const steps = derivations.find((derivation) => derivation.source === source)?.steps ?? [];
  return steps.find((step) => step.value === value)?.gain[0] ?? null;
}
