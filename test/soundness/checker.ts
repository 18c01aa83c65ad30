/**
 * The checker's own table of rules under the same attack: the bounds that it derives, each as small as its rules allow, in
 * place of those of the analysis. A certificate may state no less, so these are what an unsound checker would let pass.
 */
import { Analysis } from "../../src/gain/analyze.ts";
import type { Range } from "../../src/gain/facts.ts";
import type { Gain } from "../../src/gain/gain.ts";
import type { SourceGains } from "../../src/gain/analyze.ts";
import { derive, type Judge } from "../../src/certificate/verify/derive.ts";
import type { Proof } from "../../src/certificate/verify/document.ts";
import { numberAbove, numberBelow } from "../../src/certificate/verify/enclosure.ts";
import { checkGraph } from "../../src/certificate/verify/graph.ts";
import { modelDocument, writeCertificate } from "../../src/certificate/write.ts";
import { verify } from "../../src/certificate/verify/verify.ts";
import type { Claim, Model, Phase, ValueId } from "../../src/model/model.ts";
import { nowhere } from "../rig/sketch.ts";

/** Takes what the rules give for what the proof states. */
const tight: Judge = {
  bound(_, derived, { low }) {
    const x = low ? numberBelow(derived) : numberAbove(derived);
    return Number.isFinite(x) ? x : null;
  },
  rule: ({ rule }, rules) => (rules.has(rule) ? rule : [...rules.keys()][0]),
  matrix: (stated) => stated,
};

const why = { text: "the checker derives no bound", path: null, because: [] };
const above = (x: number | null): number => x ?? Infinity;

/** An analysis whose gains and ranges are those that the checker derives, from the facts that the analysis has. */
export class Checked extends Analysis {
  private readonly proof: Proof | null;

  constructor(model: Model, phase: Phase, options: ConstructorParameters<typeof Analysis>[2]) {
    super(model, phase, options);
    this.proof = null;
    this.proof = this.derived(options);
  }

  private derived({ oracle, matrices }: NonNullable<ConstructorParameters<typeof Analysis>[2]> = {}): Proof {
    const { model, phase } = this;
    // A claim from each value, so that each is a source.
    const claimOf = (value: ValueId): Claim => ({
      kind: "gain",
      text: "",
      phase,
      from: value,
      to: value,
      fromName: "",
      toName: "",
      normIn: "l2",
      normOut: "l2",
      limit: 1,
      instance: "",
      span: nowhere,
    });
    const sources = model.nodes.flatMap((node) => node.outputs);
    const asked = { ...model, claims: sources.map(claimOf) };
    const plain = new Analysis(asked, phase, { oracle, matrices });
    const weights = phase === "checkpoint" ? { path: "weights", sha256: "0".repeat(64) } : null;
    const certificate = writeCertificate(
      asked,
      [{ analysis: plain, facts: oracle as NonNullable<typeof oracle>, matrices }],
      { lipsc: "0", specs: [], weights, set: {}, writtenOut: false },
    );
    // What is written is accepted.
    verify(JSON.stringify(certificate));
    const document = JSON.parse(JSON.stringify(modelDocument(asked)));
    return derive(document, checkGraph(document), certificate.proofs[0], "", tight);
  }

  override range(value: ValueId): Range {
    const known = this.proof?.ranges[value];
    if (!known) return super.range(value);
    const { l2, token, linf, low, high, spread } = known;
    return {
      l2: above(l2),
      token: above(token),
      linf: above(linf),
      low: low ?? -Infinity,
      high: above(high),
      spread: above(spread),
      why: l2 === null ? why : null,
    };
  }

  override from(source: ValueId): SourceGains {
    const steps = this.proof?.derivations.find((d) => d.source === source)?.steps;
    if (!steps) return super.from(source);
    const byValue = new Map(steps.map((step) => [step.value, step]));
    return {
      source,
      rule: (value) => byValue.get(value)?.rule ?? "",
      gain(value): Gain {
        const entries = byValue.get(value)?.gain.map(above) ?? new Array<number>(9).fill(0);
        return { entries, why: entries.every(Number.isFinite) ? null : why };
      },
    };
  }
}
