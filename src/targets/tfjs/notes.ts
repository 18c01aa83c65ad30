/** Comments that quote the spec: what was written there, above the code that was made from it. */
import type { Model, Node } from "../../model/model.ts";
import { lineText, positionAt, type SourceFile, type Span } from "../../text/source.ts";
import type { Notes } from "./outline.ts";

export function notesOf(model: Model, sources: ReadonlyMap<string, SourceFile>): Notes {
  const layers = new Map(allNodes(model.nodes).map((node) => [node.path, node]));
  const blocks = new Map(model.instances.map((instance) => [instance.path, instance]));
  const recipe = recipeLines(model, sources);
  return (path) => {
    const node = layers.get(path);
    if (node !== undefined) return [quote(node.span, sources)];
    const block = blocks.get(path);
    if (block !== undefined) {
      const inside = [...layers.values()].find((n) => n.path.startsWith(`${path}.`));
      const call = inside?.calls[inside.calls.length - 1];
      return call ? [quote(call, sources)] : [];
    }
    const term = recipeTerms[path.split("/")[0]];
    const line = term === undefined ? undefined : recipe.get(term);
    return line === undefined ? [] : [line];
  };
}

/** Which entry of the train section the parts of a step come from. */
const recipeTerms: Readonly<Record<string, string>> = { loss: "loss", clip: "clip", update: "optimizer" };

function allNodes(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...(node.body ? allNodes(node.body.nodes) : [])]);
}

/** `std/vision.lips:12  x |> Linear(d)` */
function quote(span: Span, sources: ReadonlyMap<string, SourceFile>): string {
  const source = sources.get(span.file);
  if (source === undefined) return span.file;
  const { line } = positionAt(source, span.start);
  const whole = lineText(source, line).trim().replace(/\s+/g, " ");
  const written = source.text.slice(span.start, span.end).replace(/\s+/g, " ").trim();
  // Of a line with several layers, the one that is meant.
  const part = written !== "" && written.length < whole.length && written.length <= 80 ? written : whole;
  return clipText(`${span.file}:${line}  ${part}`);
}

function clipText(text: string): string {
  return text.length <= 104 ? text : `${text.slice(0, 103)}…`;
}

function recipeLines(model: Model, sources: ReadonlyMap<string, SourceFile>): Map<string, string> {
  const lines = new Map<string, string>();
  const span = model.train?.span;
  const source = span && sources.get(span.file);
  if (span === undefined || source === undefined) return lines;
  const from = positionAt(source, span.start).line;
  const to = positionAt(source, span.end).line;
  for (let line = from; line <= to; line++) {
    const text = lineText(source, line).trim();
    const term = /^(\w+):/.exec(text)?.[1];
    if (term !== undefined) lines.set(term, clipText(`${span.file}:${line}  ${text}`));
  }
  return lines;
}
