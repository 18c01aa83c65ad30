import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import schema from "../../src/model/model.schema.json" with { type: "json" };
import { violations } from "../../src/model/legality.ts";
import { elaborateAt, modelNamed, parametersOf } from "./host.ts";

const folder = "test/fixtures/examples";
const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema);

/** Models of each example, with their parameters: of the authors' code or papers where `known` says so. */
const examples: Record<string, Record<string, number | null>> = {
  "lipsformer.lips": {
    LipsFormerSwin: 30_908_578,
    LipsFormerSwinTiny: 30_908_578,
    LipsFormerSwinSmall: 54_479_794,
    LipsFormerSwinBase: 96_011_168,
    LipsFormerSwinTinyReleased: 30_908_578,
    LipsFormerCSwinTiny: 24_642_536,
  },
  "baselines.lips": { SwinTiny: 28_288_354, CSwinTiny: 22_320_552, Vit28: 678_730 },
  "lipshift.lips": { LipShiFT: 196_758_346 },
  "others.lips": {
    SpecFormer: 5_362_378,
    LrFormer: 616_618,
    Fast: null,
    TwoLipschitz: 2_392_576,
    CertifiedMlp: null,
  },
  "dynamics.lips": { LbdnDigits: null, Contracting: null, R2dnModel: null, DeepSsm: null, Anie: 3_330 },
};

describe.each(Object.entries(examples))("%s", (file, models) => {
  const result = elaborateAt(`${folder}/${file}`);

  test("elaborates without a word", () => {
    expect(result.messages).toEqual([]);
    expect(result.models.map((m) => m.name)).toEqual(Object.keys(models));
  });

  test.each(Object.entries(models).filter(([, count]) => count !== null))(
    "%s has %d parameters",
    (name, count) => {
      expect(parametersOf(modelNamed(result, name))).toBe(count);
    },
  );

  test.each(Object.keys(models))("%s is legal, valid and survives a round trip through JSON", (name) => {
    const model = modelNamed(result, name);
    expect(violations(model)).toEqual([]);
    expect(validate(model) ? [] : validate.errors).toEqual([]);
    expect(JSON.parse(JSON.stringify(model))).toEqual(model);
  });
});
