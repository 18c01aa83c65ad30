/** The specs that ship with the project. */
import { readdirSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import schema from "../../src/model/model.schema.json" with { type: "json" };
import { storedTowardZero } from "../../src/gain/up.ts";
import { violations } from "../../src/model/legality.ts";
import { elaborateAt, modelNamed, parametersOf } from "./host.ts";

const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema);
const specs = readdirSync("specs").filter((name) => name.endsWith(".lips"));

describe.each(specs)("%s", (name) => {
  test("is named in kebab case, elaborates without a word, and gives legal models", () => {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*\.lips$/);
    const result = elaborateAt(`specs/${name}`);
    expect(result.messages).toEqual([]);
    expect(result.models.length).toBeGreaterThan(0);
    for (const model of result.models) {
      expect(violations(model)).toEqual([]);
      expect(validate(model) ? [] : validate.errors).toEqual([]);
    }
  });
});

/** Parameter counts of the authors' code, and of our own models for 28 x 28 images. */
test.each([
  ["lipsformer-swin-tiny", "LipsFormerSwinTiny", 30_908_578],
  ["lipsformer-swin-tiny-released", "LipsFormerSwinTinyReleased", 30_908_578],
  ["lipsformer-swin-small", "LipsFormerSwinSmall", 54_479_794],
  ["lipsformer-swin-small-released", "LipsFormerSwinSmallReleased", 54_479_794],
  ["lipsformer-swin-base", "LipsFormerSwinBase", 96_011_168],
  ["lipsformer-swin-base-released", "LipsFormerSwinBaseReleased", 96_011_168],
  ["swin-tiny", "SwinTiny", 28_288_354],
  ["cswin-tiny", "CSwinTiny", 22_320_552],
  ["lipshift", "LipShiFT", 196_758_346],
])("%s: %s has %d parameters", (file, name, count) => {
  expect(parametersOf(modelNamed(elaborateAt(`specs/${file}.lips`), name))).toBe(count);
});

test("Swin shifts every second block where the map is larger than a window, and only there", () => {
  const regions = (size: string): string[] => {
    const { nodes } = modelNamed(elaborateAt("specs/swin-tiny.lips", { set: { size } }), "SwinTiny");
    return nodes.flatMap(({ layer, config }) => {
      const over = config.over as { size: number; shift: number };
      return layer === "Attend" ? [`${over.size}/${over.shift}`] : [];
    });
  };
  const pairs = (count: number, second: string): string[] =>
    Array.from({ length: count }, (_, i) => (i % 2 === 0 ? "7/0" : second));
  expect(regions("224")).toEqual([...pairs(10, "7/3"), "7/0", "7/0"]);
  expect(regions("448")).toEqual(pairs(12, "7/3"));
});

test("the fashion models have the sizes that the comparison wants", () => {
  const lips = modelNamed(elaborateAt("specs/lipsformer-fashion.lips"), "LipsFormerFashion");
  const vit = modelNamed(elaborateAt("specs/vit-fashion.lips"), "VitFashion");
  const attends = lips.nodes.filter((n) => n.layer === "Attend");
  expect(attends).toHaveLength(6);
  expect(attends.map((n) => lips.values[n.inputs[0]].shape)).toEqual(new Array(6).fill([7, 7, 96]));
  expect(vit.nodes.filter((n) => n.layer === "Attend").map((n) => vit.values[n.inputs[0]].shape)).toEqual(
    new Array(6).fill([49, 96]),
  );
  const alphas = lips.weights.filter((w) => w.path.endsWith(".alpha"));
  expect(alphas).toHaveLength(24);
  for (const { init } of alphas)
    expect(init).toEqual({ kind: "constant", values: [storedTowardZero(1 / 6)] });
  for (const w of lips.weights)
    if (w.role === "matrix" || w.role === "kernel") expect(w.init.kind).toBe("spectral");
  expect(lips.train).toMatchObject({
    data: { name: "fashion_mnist" },
    schedule: { name: "cosine", args: { warmup: 0 } },
  });
});

describe("recipes", () => {
  const recipe = (file: string, name: string) => modelNamed(elaborateAt(`specs/${file}.lips`), name).train;
  const sizes = ["Tiny", "Small", "Base"].flatMap((size) =>
    ["", "Released"].map((form) => `LipsFormerSwin${size}${form}`),
  );

  test.each(sizes)("%s trains as its family does", (name) => {
    const file = name
      .replace(/(?<=[a-z])(?=[A-Z])/g, "-")
      .toLowerCase()
      .replace("lips-former", "lipsformer");
    expect(recipe(file, name)).toEqual(recipe("lipsformer-swin", "LipsFormerSwin"));
  });

  /** Qi et al. 2023 and the released configuration: lr 5e-4 and min_lr 5e-6, both times batch/512. */
  test("LipsFormer's, without warmup", () => {
    const swin = recipe("lipsformer-swin", "LipsFormerSwin");
    expect(swin).toMatchObject({
      loss: [{ weight: 1, term: { name: "cross_entropy", args: { smoothing: 0.1 } } }],
      optimizer: { name: "adamw", args: { lr: 1e-3, betas: [0.9, 0.98], eps: 1e-8, weight_decay: 0.05 } },
      schedule: { name: "cosine", args: { warmup: 0, min_lr: 1e-5 } },
      epochs: 300,
      batch: 1024,
      clip: 5,
    });
    expect(swin?.augment.map((a) => a.name)).toEqual([
      "rand_augment",
      "color_jitter",
      "erase",
      "mixup",
      "cutmix",
    ]);
    const cswin = recipe("lipsformer-cswin-tiny", "LipsFormerCSwinTiny");
    expect({ ...cswin, span: null, groups: null }).toEqual({ ...swin, span: null, groups: null });
  });

  test.each([
    ["lipsformer-swin-tiny", "LipsFormerSwinTiny", 0.2],
    ["lipsformer-swin-small", "LipsFormerSwinSmall", 0.3],
    ["lipsformer-swin-base-released", "LipsFormerSwinBaseReleased", 0.5],
    ["lipsformer-cswin-tiny", "LipsFormerCSwinTiny", 0.2],
    ["swin-tiny", "SwinTiny", 0.2],
    ["cswin-tiny", "CSwinTiny", 0.2],
  ])("%s: %s drops paths at a rate that rises linearly to %d", (file, name, last) => {
    const { nodes } = modelNamed(elaborateAt(`specs/${file}.lips`), name);
    const drops = nodes.filter((n) => n.layer === "Residual").map((n) => Number(n.config.drop));
    const rates = [...new Set(drops)];
    expect(rates).toHaveLength(drops.length / (name.startsWith("Lips") ? 4 : 2));
    rates.forEach((rate, i) => expect(rate).toBeCloseTo((last * i) / (rates.length - 1), 6));
  });
});
