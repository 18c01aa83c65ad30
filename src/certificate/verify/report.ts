/** What the checker prints: a verdict first, then what is certified, by which hashes, and what it had to believe. */
import { describe, type Certificate, type Proof } from "./document.ts";
import type { Refusal } from "./refusal.ts";
import type { Domain } from "./rules/ranges.ts";

export interface Checked {
  readonly certificate: Certificate;
  readonly seconds: number;
  /** Whether the weights' bytes, and spec files, were at hand. */
  readonly weights: boolean;
  readonly specs: boolean;
}

const inPhase = { init: "at init", always: "always", checkpoint: "at checkpoint" } as const;

/** Seven digits, rounded up. */
function short(x: number): string {
  const nearest = Number(x.toPrecision(7));
  // For the eye only. trust: T3
  const unit = 10 ** (Math.floor(Math.log10(x)) - 6);
  const above = nearest >= x ? nearest : Number((x + unit).toPrecision(7));
  return above >= 1e7 ? above.toExponential().replace("+", "") : String(above);
}

export function accepted({ certificate, seconds, weights, specs }: Checked): string {
  const { model, hashes, writtenOut, proofs } = certificate;
  const steps = proofs.reduce(
    (n, proof) => n + proof.derivations.reduce((m, { steps }) => m + steps.length, 0),
    0,
  );
  const counted = `${steps.toLocaleString("en-US").replaceAll(",", " ")} steps`;
  const rows = proofs.flatMap((proof) => proofRows(certificate, proof));
  const width = Math.max(...rows.map(([phase]) => phase.length));
  return [
    `✓ ${model.name}: all ${counted} follow, in exact arithmetic (${seconds.toFixed(2)} s)`,
    "",
    ...rows.map(([phase, text]) => `  ${phase.padEnd(width)}  ${text}`),
    "",
    `  model    ${hashes.model}  (of the layer graph in the certificate)`,
    ...hashes.specs
      .filter(({ path }) => !path.startsWith("std/"))
      .map(({ path, sha256 }) => `  spec     ${sha256}  ${path}`),
    ...(hashes.weights ? [`  weights  ${hashes.weights.sha256}  ${hashes.weights.path}`] : []),
    ...(writtenOut
      ? ["           what the spec's constraints made of weights: they stand without them"]
      : []),
    "",
    ...beliefs(certificate, weights, specs).map(
      (text, i) => `  ${i === 0 ? "believed" : "        "}  ${text}`,
    ),
    "",
  ].join("\n");
}

/** Claims of a proof, and the l2 bound from each input to each output. */
function proofRows({ model }: Certificate, proof: Proof): [string, string][] {
  const phase = inPhase[proof.phase];
  const claims = proof.claims.map(({ claim, upper, proven }): [string, string] => {
    const told = upper === null ? "nothing is proven" : `${short(upper)} is proven`;
    return [phase, `${proven ? "✓" : "✗"} ${describe(model.claims[claim])}: ${told}`];
  });
  const bounds = model.inputs.flatMap((input) => {
    const steps = proof.derivations.find(({ source }) => source === input.value)?.steps ?? [];
    return model.outputs.map((output): [string, string] => {
      const l2 = steps.find(({ value }) => value === output.value)?.gain[0];
      const [from, to] = [`‖Δ${input.name}‖₂`, `‖Δ${output.name}‖₂`];
      if (l2 === undefined) return [phase, `${to}: nothing is stated against ${input.name}`];
      if (l2 === null) return [phase, `${to} / ${from}: not proven`];
      return [phase, `${to} ≤ ${short(l2)} · ${from}${inDomain(input.domain)}`];
    });
  });
  return [...claims, ...bounds];
}

/** The bound is about inputs of this domain, and perturbations that stay in it. */
function inDomain(domain: Domain): string {
  if (domain.kind === "box") return `  in [${domain.low}, ${domain.high}]`;
  return domain.kind === "ball" ? `  in ball(${domain.radius}, ${domain.norm})` : "";
}

/** What these checks rest on besides the rules (docs/certificate.md lists it with reasons). */
function beliefs({ proofs, hashes }: Certificate, weights: boolean, specs: boolean): string[] {
  const measured = proofs.flatMap(({ facts }) => facts.filter(({ known }) => known === "measured")).length;
  const texts: string[] = [];
  if (measured > 0 && !weights)
    texts.push(
      `norms of ${measured} weights, as stated: give the file with --weights, and they are proven again`,
    );
  if (proofs.some(({ phase }) => phase === "init"))
    texts.push("at init: what each initialiser guarantees of what it stores");
  if (hashes.specs.length > 0 && !specs)
    texts.push("that the specs have these hashes: compare with --spec FILE");
  texts.push("that the spec means this layer graph; real arithmetic, no engine's");
  return texts;
}

/** The first thing that doesn't follow. */
export function refused(refusal: Refusal): string {
  const { where, message, rule, stated, derived } = refusal;
  const rows = [
    ["where", where],
    ["why", message],
    ...(rule === null ? [] : [["rule", rule]]),
    ...(stated === null ? [] : [["stated", stated]]),
    ...(derived === null ? [] : [["derived", derived]]),
  ];
  return [
    "✗ the certificate is refused",
    "",
    ...rows.map(([key, text]) => `  ${key.padEnd(7)}  ${text}`),
    "",
  ].join("\n");
}
