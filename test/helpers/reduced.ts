/**
 * Every spec that can be executed, made small: `set` holds overrides as `--set` takes them. Each keeps all kinds of
 * layers of the full model, with the float64 interpreter doing ten training steps in a second or two.
 */
import type { Model, TrainConfig } from "../../src/model/model.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { modelOf } from "./elaborated.ts";

export interface Reduced {
  /** For test titles, unique. */
  readonly name: string;
  readonly file: string;
  readonly model: string;
  readonly set: Readonly<Record<string, string>>;
  readonly batch: number;
}

/** Maps of 16, 8, 4 and 2 positions a side, 6 to 48 channels. */
const fourStages = { size: "64", dim: "6", classes: "5" };
/** Windows of 2 × 2, so that a shift by 1 mixes pieces of opposite edges. */
const swin = { ...fourStages, depths: "[1, 1, 2, 1]", heads: "[1, 2, 3, 3]", window: "2" };
const shifted = { ...swin, depths: "[2, 1, 1, 1]" };
/** Stripes of width 1 and 2, horizontal and vertical in each block; the last stage is global. */
const cswin = { ...fourStages, depths: "[1, 1, 1, 1]", heads: "[2, 2, 4, 6]", stripe: "[1, 2, 2]" };
const fashion = { dim: "12", depth: "2", heads: "3" };
/** Where a spec's own loss isn't compiled yet: its architecture is what is tested here. */
const crossEntropy = { "train.loss": "cross_entropy" };

const spec = (file: string, model: string, set: Readonly<Record<string, string>>): Reduced => ({
  name: file,
  file: `specs/${file}.lips`,
  model,
  set,
  batch: 2,
});

export const reducedSpecs: readonly Reduced[] = [
  spec("quick-start", "QuickStart", fashion),
  spec("lipsformer-fashion", "LipsFormerFashion", fashion),
  spec("vit-fashion", "VitFashion", fashion),
  spec("lipsformer-swin", "LipsFormerSwin", swin),
  spec("lipsformer-swin-tiny", "LipsFormerSwinTiny", swin),
  spec("lipsformer-swin-small", "LipsFormerSwinSmall", swin),
  spec("lipsformer-swin-base", "LipsFormerSwinBase", swin),
  spec("lipsformer-swin-tiny-released", "LipsFormerSwinTinyReleased", swin),
  spec("lipsformer-swin-small-released", "LipsFormerSwinSmallReleased", swin),
  spec("lipsformer-swin-base-released", "LipsFormerSwinBaseReleased", swin),
  spec("lipsformer-cswin-tiny", "LipsFormerCSwinTiny", cswin),
  spec("swin-tiny", "SwinTiny", shifted),
  spec("cswin-tiny", "CSwinTiny", cswin),
  spec("lipshift", "LipShiFT", { dim: "12", depths: "[1, 1, 1, 1]", ...crossEntropy }),
  spec("specformer", "SpecFormer", { dim: "12", depth: "2", ...crossEntropy }),
  spec("certified-mlp", "CertifiedMlp", { width: "16", depth: "2" }),
  spec("certified-fashion-mlp", "CertifiedFashionMlp", { widths: "[16, 12]" }),
  spec("certified-fashion", "CertifiedFashion", { dim: "4", heads: "2", widths: "[16]" }),
  spec("certified-recall", "CertifiedRecall", { items: "3", key: "4", dim: "8" }),
  spec("lbdn-digits", "LbdnDigits", {}),
  spec("deep-ssm", "DeepSsm", { dim: "8", depth: "1", classes: "5", length: "5" }),
  {
    name: "constraints",
    file: "test/fixtures/constraints.lips",
    model: "Constrained",
    set: {},
    batch: 2,
  },
  {
    ...spec("vit-fashion", "VitFashion", { ...fashion, "train.optimizer": "muon(lr: 0.01)" }),
    name: "vit-fashion-muon",
  },
  ...["Margin", "Hinge", "Emma", "Radius"].map((model) => ({
    name: `certified-recipes-${model.toLowerCase()}`,
    file: "test/fixtures/certified-recipes.lips",
    model,
    set: {},
    batch: 2,
  })),
  {
    name: "lipsformer-swin-released-mini",
    file: "test/fixtures/lipsformer-swin-released-mini.lips",
    model: "LipsFormerSwinReleasedMini",
    set: {},
    batch: 2,
  },
];

/** Specs that can't be executed yet, each with what it waits for. */
export const notExecutable: Readonly<Record<string, string>> = {
  "specs/anie.lips": "its output is a field, and only losses of one vector of logits are compiled",
  "specs/contracting.lips": "its output is a sequence, and only losses of one vector of logits are compiled",
  "specs/fast.lips": "BatchNorm can't be trained yet",
  "specs/lrformer.lips": "a score scaled by the whole input has no lowering yet",
  "specs/r2dn.lips": "R2DN has no lowering yet",
  "specs/two-lipschitz.lips":
    "its output is a sequence, and only losses of one vector of logits are compiled",
};

/** The reduced model. */
export function reducedModel({ file, model, set }: Reduced): Model {
  return modelOf(file, model, set);
}

/** Its recipe (the default one where it has none) at the reduced batch. */
export function reducedRecipe(entry: Reduced, model: Model): TrainConfig {
  return { ...defaultRecipe, span: model.span, ...model.train, batch: entry.batch };
}
