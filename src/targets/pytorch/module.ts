/** model.py: the whole file. */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import { allNodes } from "../../model/legality.ts";
import type { Domain, Model, Shape } from "../../model/model.ts";
import { lineText, positionAt, type SourceFile } from "../../text/source.ts";
import { classesOf } from "./classes.ts";
import { shortened } from "./draft.ts";
import type { Helper } from "./emission.ts";
import { resetLines, projectLines } from "./initial.ts";
import { emissions } from "./layers/registry.ts";
import { placesOf } from "./places.ts";
import { badAttribute, docstring } from "./python.ts";
import { docsAbove, renderClass } from "./render.ts";

/** The model as Python; a diagnostic for what can't be carried over. */
export function modelSource(model: Model, sources: ReadonlyMap<string, SourceFile>): Result<string> {
  const refused = firstRefusal(model);
  if (refused) return refused;
  const places = placesOf(model);
  if (!places.ok) return places;
  const plans = classesOf(model, places.value, sources);
  if (!plans.ok) return plans;
  const { classes, helpers } = plans.value;

  const initial: Helper[] = [];
  const use = (helper: Helper): string => {
    for (const needed of helper.needs ?? []) use(needed);
    if (!initial.includes(helper)) initial.push(helper);
    return helper.name;
  };
  const reset = resetLines(model, use);
  const rendered = classes.map((plan) =>
    renderClass(
      plan,
      sources,
      plan.name === model.name
        ? {
            heading: headingOf(model, sources),
            doc: docOf(model, sources),
            parameters: ", *, initialise: bool = True",
            init: ["if initialise:", "    self.reset_parameters()"],
            methods: [...reset, ...projectLines(model, use)],
          }
        : null,
    ),
  );
  const parts = [
    ...docstring([
      `${model.name} in PyTorch, written by lipsc from ${model.file}. Change the spec, not this file.`,
      "",
      "Values are [batch, positions..., channels], as in the spec. Names of parameters are the names of weights in every",
      "target of lipsc and in .safetensors files. Numbers are those of the spec as float32 stores them, which is what the",
      "proven bound is about.",
    ]),
    "",
    "import math",
    "",
    "import torch",
    "import torch.nn.functional as F",
    "from torch import Tensor, nn",
    ...(rendered.some((r) => r.namespaces) ? ["", "", ...namespace] : []),
    ...[...helpers, ...unique(initial, helpers)].flatMap((helper) => ["", "", ...helper.source.split("\n")]),
    ...rendered.flatMap((r) => ["", "", ...r.lines]),
  ];
  const text = parts.join("\n") + "\n";
  return good(/\bmath\./.test(text) ? text : text.replace("import math\n\n", ""));
}

const namespace = [
  "class Namespace(nn.Module):",
  `    """Modules under a common name; the module around calls them."""`,
  "",
  "    def __init__(self, **modules: nn.Module):",
  "        super().__init__()",
  "        for name, module in modules.items():",
  "            self.add_module(name, module)",
];

function unique(list: readonly Helper[], others: readonly Helper[]): Helper[] {
  return list.filter((helper) => !others.some((o) => o.source === helper.source));
}

/** What has no form in PyTorch. Layers that can't be lowered at all have been refused before. */
function firstRefusal(model: Model): Result<never> | null {
  for (const node of allNodes(model.nodes)) {
    const emit = emissions.get(node.layer);
    if (typeof emit === "function") continue;
    const what = `\`${node.layer}\` (${node.path})`;
    const reason = emit ? emit.none : "the layer has no emission";
    return bad(diagnostic("target-refused", node.span, { what, target: "PyTorch", reason }));
  }
  for (const weight of model.weights) {
    const what = `\`${weight.path}\``;
    const refuse = (reason: string): Result<never> =>
      bad(diagnostic("target-refused", weight.span, { what, target: "PyTorch", reason }));
    const parts = weight.path.split(".");
    for (const part of parts) {
      const reason = badAttribute(part);
      if (reason !== null) return refuse(`${reason}; give the \`let\` or parameter another name`);
    }
  }
  return null;
}

/** The model's declaration in the spec. */
function headingOf({ span, name }: Model, sources: ReadonlyMap<string, SourceFile>): string[] {
  const source = sources.get(span.file);
  if (!source) return [];
  const { line } = positionAt(source, span.start);
  return [`# ${span.file}:${line}`, `# ${shortened(lineText(source, line).trim()) || name}`];
}

function docOf(model: Model, sources: ReadonlyMap<string, SourceFile>): string[] {
  const value = (id: number): Shape => model.values[id].shape;
  const inputs = model.inputs.map(
    ({ name, value: id, domain }) => `    ${name}: [batch, ${value(id).join(", ")}]${domainText(domain)}`,
  );
  const outputs = model.outputs.map(({ name, value: id }) => `    ${name}: [batch, ${value(id).join(", ")}]`);
  const image = model.inputs.find(({ value: id }) => value(id).length === 3);
  const source = sources.get(model.span.file);
  const docs = source ? docsAbove(source, positionAt(source, model.span.start).line) : [];
  const inParts = model.inference && [
    "",
    `Matrix products and convolutions add up at most ${model.inference.longestSum} terms at once in eval mode (\`longest_sum\`), in the parts`,
    "whose float32 rounding `lipsc eval --certify` counts. In training they are whole.",
  ];
  return [
    ...(docs.length > 0 ? docs : [`${model.name}.`]),
    ...(inParts ?? []),
    "",
    "Takes",
    ...inputs,
    "and gives",
    ...outputs,
    ...(image
      ? [
          "",
          `Images have channels last: \`${image.name}.permute(0, 2, 3, 1)\` makes that of PyTorch's usual layout.`,
        ]
      : []),
  ];
}

function domainText(domain: Domain): string {
  switch (domain.kind) {
    case "box":
      return `, entries in [${domain.low}, ${domain.high}]`;
    case "ball":
      return `, ${domain.norm} norm at most ${domain.radius}`;
    case "tokens":
      return `, whole numbers from 0 to ${domain.count - 1}`;
    case "unbounded":
      return "";
  }
}
