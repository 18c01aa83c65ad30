/**
 * The checker. It accepts a certificate where every stated bound is at least what its rule gives for the stated premises
 * (derive.ts): a step may be looser than its rule, never tighter. It shares no code with the analysis that makes
 * certificates, and no number is believed but the measured facts of weights whose file is not at hand.
 */
import { canonical, sealOf, sha256 } from "./canonical.ts";
import { derive, type Judge } from "./derive.ts";
import { readCertificate, type Certificate, type MatrixDocument, type Proof } from "./document.ts";
import { bounds, boundsBelow, numberAbove, numberBelow } from "./enclosure.ts";
import { checkGraph } from "./graph.ts";
import { parseJson } from "./json.ts";
import { Refusal } from "./refusal.ts";

export interface Options {
  /**
   * Checks measured facts, and norms of the matrices that were needed, against the bytes of the weights; without it they
   * are taken on trust.
   */
  readonly weights?: (certificate: Certificate, matrices: readonly MatrixDocument[]) => void;
  /** SHA-256 of specs at hand: the certificate must name each. */
  readonly specs?: readonly string[];
}

/** Refuses a bound that is tighter than what was derived, and a rule that doesn't apply. */
const strict: Judge = {
  bound(stated, derived, { where, rule, low }) {
    if (low ? boundsBelow(stated ?? -Infinity, derived) : bounds(stated ?? Infinity, derived)) return stated;
    const number = low ? numberBelow(derived) : numberAbove(derived);
    throw new Refusal(where, low ? "the lower bound is too large" : "the bound is too small", {
      rule,
      stated: String(stated),
      derived: Number.isFinite(number) ? String(number) : "not proven",
    });
  },
  rule({ rule, premises }, rules, { where }) {
    const needed = rules.get(rule);
    if (!needed)
      throw new Refusal(where, `"${rule}" can't derive this step`, { rule: [...rules.keys()].join(" or ") });
    if (canonical(needed) !== canonical(premises))
      throw new Refusal(where, `its premises are the values ${needed.join(", ")}`, { rule });
    return rule;
  },
  matrix: (stated) => stated,
};

/** Checks a certificate; throws a Refusal at the first thing that doesn't follow. */
export function verify(json: string, options: Options = {}): Certificate {
  const parsed = parse(json);
  const certificate = readCertificate(parsed);
  const { model, hashes, proofs, seal } = certificate;
  if (sealOf(parsed) !== seal) throw new Refusal("seal", "the document was changed after it was sealed");
  if (sha256(canonical(model)) !== hashes.model)
    throw new Refusal("hashes.model", "it is not the SHA-256 of the model in the certificate");
  const absent = options.specs?.find((spec) => hashes.specs.every((file) => file.sha256 !== spec));
  if (absent !== undefined)
    throw new Refusal("hashes.specs", `no spec of the certificate has the SHA-256 ${absent}`);
  const graph = checkGraph(model);
  if (new Set(proofs.map(({ phase }) => phase)).size < proofs.length)
    throw new Refusal("proofs", "a phase is proven twice");
  const matrices = proofs.flatMap((proof, i) => {
    const settled = derive(model, graph, proof, `proofs[${i}]`, strict);
    checkVerdicts(settled, proof, `proofs[${i}]`);
    if (canonical(settled.matrices) !== canonical(proof.matrices))
      throw new Refusal(
        `proofs[${i}].matrices`,
        "these are not the matrices that the steps need, in their order",
      );
    return settled.matrices;
  });
  const measured = proofs.some(({ phase }) => phase === "checkpoint");
  if (measured !== (hashes.weights !== null))
    throw new Refusal("hashes.weights", "weights are named exactly where the phase checkpoint is proven");
  const constrained = model.weights.find(({ constraint }) => constraint.kind !== "none");
  if (certificate.writtenOut && (!measured || constrained))
    throw new Refusal(
      "writtenOut",
      "weights that are written out are measured, and stand without constraints",
    );
  options.weights?.(certificate, matrices);
  return certificate;
}

function parse(json: string): object {
  try {
    return parseJson(json) as object;
  } catch (error) {
    throw new Refusal("certificate", `it is no JSON: ${(error as Error).message.replace(/\s+/g, " ")}`);
  }
}

/** `proven` must be said of a claim exactly where its bound is within the limit. */
function checkVerdicts(settled: Proof, stated: Proof, where: string): void {
  settled.claims.forEach(({ proven, upper }, i) => {
    if (proven !== stated.claims[i].proven)
      throw new Refusal(
        `${where}.claims[${i}]`,
        `the bound is ${upper ?? "not proven"}: proven is ${proven}`,
      );
  });
}
