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
  const hugged = "call" in doc ? hug(before, doc, after, indent) : null;
  if (hugged !== null) return hugged;
  const [open, close, items] = "call" in doc ? [`${doc.call}(`, ")", doc.args] : ["[", "]", doc.list];
  const inside = items.map((item) => layOut("", item, ",", indent + 2));
  return `${space}${before}${open}\n${inside.join("\n")}\n${space}${close}${after}`;
}

/** A call whose last argument is an object, or whose only one is a list: its brackets open on the line of the call. */
function hug(
  before: string,
  doc: { call: string; args: readonly Doc[] },
  after: string,
  indent: number,
): string | null {
  const space = " ".repeat(indent);
  const last = doc.args[doc.args.length - 1];
  const front = doc.args.slice(0, -1).map((arg) => `${flat(arg)}, `);
  const entries =
    typeof last === "string" ? entriesOf(last) : "list" in last && front.length === 0 ? last.list : null;
  if (entries === null) return null;
  const [open, close] = typeof last === "string" ? ["{", "}"] : ["[", "]"];
  const head = `${space}${before}${doc.call}(${front.join("")}${open}`;
  if (head.length > width) return null;
  const inside = entries.map((entry) => layOut("", entry, ",", indent + 2));
  return `${head}\n${inside.join("\n")}\n${space}${close})${after}`;
}

/** Entries of an object that is printed as text. */
function entriesOf(text: string): string[] | null {
  if (!text.startsWith("{ ")) return null;
  return text.slice(2, -2).split(/, (?=\w+: )/);
}

function flat(doc: Doc): string {
  if (typeof doc === "string") return doc;
  if ("arrow" in doc) return `() => ${flat(doc.arrow)}`;
  if ("list" in doc) return `[${doc.list.map(flat).join(", ")}]`;
  return `${doc.call}(${doc.args.map(flat).join(", ")})`;
}
