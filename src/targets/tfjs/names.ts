/** Names that a person would give: after the layer, and after what a call does where a layer has several. */
import type { Value } from "./program.ts";
import { supportNames } from "./support/names.ts";

/** What a call does, in a word. */
const words: Readonly<Record<string, string>> = {
  "tf.add": "sum",
  "tf.sub": "difference",
  "tf.mul": "scaled",
  "tf.div": "ratio",
  "tf.neg": "negative",
  "tf.square": "square",
  "tf.sqrt": "root",
  "tf.reshape": "shaped",
  "tf.transpose": "turned",
  "tf.gather": "rows",
  "tf.concat": "joined",
  pad: "padded",
  "tf.where": "chosen",
  "tf.broadcastTo": "full",
  sumOver: "total",
  slice: "part",
  multiply: "product",
  multiplyEach: "products",
  addRows: "added",
  normalCdf: "cdf",
  geluSlope: "slope",
  convolve: "map",
  convolveGradInput: "map",
  convolveGradKernel: "kernel",
};

const reserved = new Set([
  ...supportNames,
  ...(
    "break case catch class const continue debugger default delete do else enum export extends false finally for " +
    "function if import in instanceof new null return super switch this throw true try typeof var void while with " +
    "let static yield await async of at run w tf path kept gradient parameter m v arguments eval"
  ).split(" "),
]);

export function wordOf(value: Value): string {
  return words[value.callee] ?? value.callee.replace(/^tf\./, "");
}

export function camel(...parts: readonly string[]): string {
  const text = parts.flatMap((part) => part.split(/[^A-Za-z0-9]+/)).filter((part) => part !== "");
  const joined = text.map(
    (part, i) => (i === 0 ? part[0].toLowerCase() : part[0].toUpperCase()) + part.slice(1),
  );
  const name = joined.join("");
  return name === "" || /^\d/.test(name) ? `x${name}` : name;
}

export function pascal(...parts: readonly string[]): string {
  const name = camel(...parts);
  return name[0].toUpperCase() + name.slice(1);
}

/** Unused names. */
export class Naming {
  private readonly taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.taken = new Set([...reserved, ...taken]);
  }
  unique(name: string): string {
    let found = name;
    for (let i = 2; this.taken.has(found); i++) found = `${name}${/\d$/.test(name) ? "_" : ""}${i}`;
    this.taken.add(found);
    return found;
  }
}

/**
 * A name for a value: the last part of its layer's path; `final` for the one that leaves the layer, others say what they
 * are; gradients begin with d.
 */
export function nameOf(value: Value, final: boolean): string {
  const backward = value.origin.startsWith("~");
  const path = (backward ? value.origin.slice(1) : value.origin).split(/[./]/);
  const layer = path[0] === "update" ? "update" : (path.filter((part) => !/^\d+$/.test(part)).pop() ?? "");
  // A slope leaves its layer beside the layer's own result.
  const word = final && value.callee !== "geluSlope" ? "" : wordOf(value);
  const same = camel(layer).replace(/\d+$/, "") === word;
  const base = camel(layer, same ? "" : word);
  return backward ? camel("d", base) : base;
}
