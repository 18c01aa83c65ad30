/** Calls laid out as Prettier does it: on one line where they fit, else one argument a line. */

/** A call with arguments, an arrow function without parameters, or text that is not broken. */
export type Doc =
  | string
  | { readonly call: string; readonly args: readonly Doc[] }
  | { readonly list: readonly Doc[] }
  | { readonly arrow: Doc };

export const width = 110;

/** `before` + doc + `after`, at an indentation; several lines where it doesn't fit. */
export function layOut(before: string, doc: Doc, after: string, indent: number): string {
  const space = " ".repeat(indent);
  const line = space + before + flat(doc) + after;
  if (line.length <= width || typeof doc === "string") return line;
  if ("arrow" in doc) {
    // The body on a line of its own.
    return `${space}${before}() =>\n${layOut("", doc.arrow, after, indent + 2)}`;
  }
  if ("call" in doc && doc.args.length === 1) {
    const [only] = doc.args;
    if (typeof only !== "string" && "arrow" in only) {
      return `${space}${before}${doc.call}(() =>\n${layOut("", only.arrow, ",", indent + 2)}\n${space})${after}`;
    }
  }
  const [open, close, items] = "call" in doc ? [`${doc.call}(`, ")", doc.args] : ["[", "]", doc.list];
  const inside = items.map((item) => layOut("", item, ",", indent + 2));
  return `${space}${before}${open}\n${inside.join("\n")}\n${space}${close}${after}`;
}

function flat(doc: Doc): string {
  if (typeof doc === "string") return doc;
  if ("arrow" in doc) return `() => ${flat(doc.arrow)}`;
  if ("list" in doc) return `[${doc.list.map(flat).join(", ")}]`;
  return `${doc.call}(${doc.args.map(flat).join(", ")})`;
}
