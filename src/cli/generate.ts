/** The files of generated/: for chosen specs, the Model, the report with its bound, the training graph as text, and code. */
import { buildTrainingGraph } from "../graph/training.ts";
import { printGraph } from "../graph/print.ts";
import { resolveRecipe } from "../runtime/run-config.ts";
import { ownText } from "../runtime/bundled.ts";
import { loadTarget, type TargetName } from "../targets/targets.ts";
import { checkFiles } from "./check.ts";
import { nodeHost } from "./host-node.ts";
import { loadModel } from "./load.ts";
import { explainBound } from "./report/explain.ts";
import { painter } from "./report/table.ts";
import { textReport } from "./report/text.ts";

const chosen = ["quick-start"];
/** What a person reads of a target. */
const readable = { tfjs: "model.ts", pytorch: "model.py" } as const satisfies Partial<
  Record<TargetName, string>
>;
/** Code also of two members of the LipsFormer family; of the large one in the language that keeps it short. */
const coded: Readonly<Record<string, readonly (keyof typeof readable)[]>> = {
  "quick-start": ["tfjs", "pytorch"],
  "lipsformer-fashion": ["tfjs", "pytorch"],
  "lipsformer-swin-tiny": ["pytorch"],
};

/** Path → content, seen from the project's folder. */
export async function generate(): Promise<Map<string, string>> {
  return new Map([...documents(), ...(await sources())]);
}

async function sources(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const [name, targets] of Object.entries(coded)) {
    const { model, sources: texts } = loadModel(nodeHost, `specs/${name}.lips`, null, {});
    if (model === null) throw new Error(`specs/${name}.lips has errors`);
    const recipe = resolveRecipe(model, { epochs: null, batch: null, lr: null, seed: null });
    if (!recipe.ok) throw new Error(recipe.problem.message);
    for (const target of targets) {
      const file = readable[target];
      const loaded = await loadTarget(target);
      const made = await loaded.emit({ model, recipe: recipe.value, sources: texts, own: ownText });
      if (!made.ok) throw new Error(made.problem.message);
      const text = made.value.get(file);
      if (typeof text !== "string") throw new Error(`${target} made no text ${file}`);
      files.set(`generated/${name}/${file}`, text);
    }
  }
  return files;
}

function documents(): Map<string, string> {
  const files = new Map<string, string>();
  const plain = painter(false);
  for (const name of chosen) {
    const { reports, sources } = checkFiles(nodeHost, [`specs/${name}.lips`]);
    for (const report of reports) {
      const { model } = report;
      const recipe = resolveRecipe(model, { epochs: null, batch: null, lr: null, seed: null });
      const graph = recipe.ok ? buildTrainingGraph(model, recipe.value) : recipe;
      if (!graph.ok) throw new Error(graph.problem.message);
      files.set(`generated/${name}/model.json`, JSON.stringify(model, null, 1) + "\n");
      files.set(
        `generated/${name}/bound.txt`,
        `${textReport(report, sources, plain)}\n${explainBound(report, sources, plain)}\n`,
      );
      files.set(`generated/${name}/training-graph.txt`, printGraph(graph.value));
    }
  }
  return files;
}
