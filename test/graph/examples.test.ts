/** Every model of the language's examples becomes legal graphs, or a diagnostic that names what can't be executed. */
import { describe, expect, it } from "vitest";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model } from "../../src/model/model.ts";
import { elaborateAt } from "../elaborate/host.ts";
import { tinyRecipe } from "./tiny-model.ts";

/** Models that must run; the others may be refused, by a diagnostic. */
const runnable = [
  "LipsFormerSwinTiny",
  "LipsFormerSwinTinyReleased",
  "LipsFormerCSwinTiny",
  "SwinTiny",
  "CSwinTiny",
  "Vit28",
  "SpecFormer",
  "CertifiedMlp",
];
const large = ["LipsFormerSwin", "LipsFormerSwinSmall", "LipsFormerSwinBase", "LipShiFT"];

const files = ["lipsformer", "baselines", "lipshift", "others", "dynamics"];
const models: Model[] = files.flatMap((file) => elaborateAt(`test/fixtures/examples/${file}.lips`).models);

describe("examples", () => {
  it.each(models.filter((m) => !large.includes(m.name)).map((m) => [m.name, m] as const))(
    "%s",
    (name, model) => {
      const inference = buildInferenceGraph(model, { batch: 2 });
      const training = buildTrainingGraph(model, tinyRecipe({ batch: 2, clip: 1 }));
      if (runnable.includes(name)) expect([inference.ok, training.ok]).toEqual([true, true]);
      for (const built of [inference, training]) {
        if (built.ok) expect(illegalities(built.value)).toEqual([]);
        else expect(built.problem.name).toBe("not-executable");
      }
    },
  );
});
