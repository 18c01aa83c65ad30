import { describe, expect, it } from "vitest";
import { verify } from "../../src/certificate/verify/verify.ts";
import { schemaErrors } from "./schema.ts";
import type { Model } from "../../src/model/model.ts";
import { reducedModel, reducedSpecs } from "../helpers/reduced.ts";
import { analysesOf, certificateOf, modelOf } from "./certificates.ts";

/** The larger members of a family take the same rules. */
const specs =
  `anie certified-fashion certified-fashion-mlp certified-mlp certified-recall contracting deep-ssm fast
  lbdn-digits lipsformer-fashion lipsformer-swin-tiny lipshift lrformer quick-start specformer swin-tiny two-lipschitz
  vit-fashion`.split(/\s+/);

const bound = (x: number): number | null => (Number.isFinite(x) ? x : null);

describe("certificates of the specs", () => {
  const small = ["lipsformer-cswin-tiny", "cswin-tiny", "constraints"];
  const models: (readonly [name: string, model: () => Model])[] = [
    ...specs.map((spec) => [spec, () => modelOf(`specs/${spec}.lips`)] as const),
    ...reducedSpecs
      .filter(({ name }) => small.includes(name))
      .map((spec) => [`${spec.name}, made small`, () => reducedModel(spec)] as const),
  ];

  it.each(models)("%s: verifies, and states every number of the analysis", (_, made) => {
    const model = made();
    const analyses = analysesOf(model);
    const certificate = certificateOf(model, analyses);
    const json = JSON.stringify(certificate);
    verify(json);
    expect(schemaErrors(JSON.parse(json))).toEqual([]);
    // The checker's rules are as tight as the analysis: nothing had to be loosened.
    certificate.proofs.forEach(({ ranges, derivations }, i) => {
      const analysis = analyses[i];
      ranges.forEach((range, value) => {
        if (!range) return;
        const { why: _, ...known } = analysis.range(value);
        expect(range).toEqual(Object.fromEntries(Object.entries(known).map(([k, x]) => [k, bound(x)])));
      });
      for (const { source, steps } of derivations) {
        const gains = analysis.from(source);
        for (const { value, gain } of steps) expect(gain).toEqual(gains.gain(value).entries.map(bound));
      }
    });
  });

  it("refuses a model with a layer that has no rule", () => {
    expect(() => certificateOf(modelOf("specs/r2dn.lips"))).toThrow("no rule for the layer R2DN");
  });
});
