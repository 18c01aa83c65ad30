/** Cosine attention beside the theorem of the LipsFormer paper: layer by layer, and for the whole model. */
import { Analysis } from "../../gain/analyze.ts";
import { closeValue, entry, gainOf, norms } from "../../gain/gain.ts";
import { comparisonsWithPaper, paperConstant, type PaperComparison } from "../../gain/paper/lipsformer.ts";
import type { Layer } from "../../layers/layer.ts";
import { layers } from "../../layers/registry.ts";
import type { Model } from "../../model/model.ts";
import { lineOf, type ModelReport, type Sources } from "./collect.ts";
import { showBound, showFactor } from "./numbers.ts";
import { tabulate, wrap, type Paint } from "./table.ts";

/** The comparison as lines; none where the model has no layer that the theorem is about. */
export function paperComparison(report: ModelReport, sources: Sources, paint: Paint): string[] {
  const compared = comparisonsWithPaper(report.model, "init");
  if (compared.length === 0) return [];
  const rows = fold(compared, sources).map(({ one, count, place }) => [
    count > 1 ? `${place}, ${count} times` : place,
    `${one.tokens}`,
    showBound(one.paper),
    showBound(one.ours),
    showFactor(one.paper / one.ours),
  ]);
  const head = ["cosine attention", "tokens", "paper", "ours", "paper / ours"];
  const columns = head.map((_, i) => ({ align: i === 0 ? ("left" as const) : ("right" as const) }));
  const [first, ...lines] = tabulate([head, ...rows], columns);
  return [
    ...wrap("the theorem of Qi et al. (ICLR 2023), l2, one head, projections of norm 1, beside ours").map(
      (line) => paint("bold", line),
    ),
    paint("dim", first),
    ...lines,
    ...wholeModel(report, compared),
  ];
}

function fold(
  compared: readonly PaperComparison[],
  sources: Sources,
): { one: PaperComparison; count: number; place: string }[] {
  const rows: { one: PaperComparison; count: number; place: string }[] = [];
  for (const one of compared) {
    const { span } = one.node;
    const place = `${span.file} line ${lineOf(span, sources)}`;
    const same = rows.find(
      (row) =>
        row.place === place &&
        row.one.tokens === one.tokens &&
        row.one.paper === one.paper &&
        row.one.ours === one.ours,
    );
    if (same) same.count++;
    else rows.push({ one, count: 1, place });
  }
  return rows;
}

/** The l2 bound of the model when every such layer is given the paper's constant, all else by our rules. */
function wholeModel(report: ModelReport, compared: readonly PaperComparison[]): string[] {
  const { model } = report;
  const paper = new Analysis(model, "init", {
    layers: new Map([...layers, ["Attend", withTheorem(model, compared)]]),
  });
  return report.matrices.flatMap((matrix) => {
    if (matrix.phase !== "init" || !Number.isFinite(matrix.upper[0])) return [];
    const theirs = entry(paper.from(matrix.source).gain(matrix.target), "l2", "l2");
    const log = (x: number): string => Math.log10(x).toFixed(1);
    const them = Number.isFinite(theirs) ? `${showBound(theirs)} (10^${log(theirs)})` : "beyond 1e308";
    return wrap(
      `${matrix.from} → ${matrix.to}: ${them} with the paper's constants, ${showBound(matrix.upper[0])} (10^${log(matrix.upper[0])}) ours`,
    );
  });
}

/** `Attend` with the theorem in place of our rule, for the layers it is about. For comparison only: nothing rests on it. */
function withTheorem(model: Model, compared: readonly PaperComparison[]): Layer {
  const attend = layers.get("Attend");
  if (!attend || "none" in attend.rules) throw new Error("Attend has no rule");
  const { rules } = attend;
  const about = new Map(compared.map((one) => [one.node, one]));
  return {
    ...attend,
    rules: {
      ...rules,
      gain(context, inputs) {
        const one = about.get(context.node);
        if (!one) return rules.gain(context, inputs);
        const [q, k, v] = inputs;
        const entries = norms.flatMap((p) => {
          const [query, key, value] = [q, k, v].map((gain) => entry(gain, p, "l2"));
          return [paperConstant({ ...one.layer, query, key, value }), Infinity, Infinity];
        });
        const shape = model.values[context.node.outputs[0]].shape;
        return [
          { gain: closeValue(gainOf(entries, q.why, k.why, v.why), shape), rule: "the paper's theorem" },
        ];
      },
    },
  };
}
