/** The files of generated/: for chosen specs, the Model, the report with its bound, and the training graph as text. */
import { buildTrainingGraph } from "../graph/training.ts";
import { printGraph } from "../graph/print.ts";
import { resolveRecipe } from "../runtime/run-config.ts";
import { checkFiles } from "./check.ts";
import { nodeHost } from "./host-node.ts";
import { explainBound } from "./report/explain.ts";
import { painter } from "./report/table.ts";
import { textReport } from "./report/text.ts";

const chosen = ["quick-start"];

/** Path → content, seen from the project's folder. */
export function generate(): Map<string, string> {
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
