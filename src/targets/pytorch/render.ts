/** A class as Python text: constructor, forward pass, the lines of the spec in comments. */
import { lineText, positionAt, type SourceFile } from "../../text/source.ts";
import type { ClassPlan } from "./classes.ts";
import { bodyStart } from "./draft.ts";
import type { Statement } from "./naming.ts";
import type { BlockInstance } from "../../model/model.ts";
import { docstring, indent, variable, width } from "./python.ts";
import { fill } from "./tokens.ts";

/** What a path within the class holds: a constructor, or more under it. */
interface Branch {
  construct: string | null;
  readonly children: Map<string, Branch>;
}

export interface Rendered {
  readonly lines: readonly string[];
  /** Whether plain containers under a common name are needed. */
  readonly namespaces: boolean;
}

export interface ModelParts {
  /** Comment lines above the class. */
  readonly heading: readonly string[];
  readonly doc: readonly string[];
  /** Lines at the end of the constructor, and methods after the forward pass. */
  readonly init: readonly string[];
  readonly parameters: string;
  readonly methods: readonly string[];
}

export function renderClass(
  plan: ClassPlan,
  sources: ReadonlyMap<string, SourceFile>,
  model: ModelParts | null,
): Rendered {
  const { draft, args, texts } = plan;
  const stored = new Set<string>();
  const tree = treeOf(draft.modules);
  const inInit = (text: string): string => fill(text, "number", (key) => texts[Number(key)].text);
  const inForward = (text: string): string =>
    fill(text, "number", (key) => {
      const { text: value, argument } = texts[Number(key)];
      if (argument === null) return value;
      stored.add(argument);
      const kept = value.replace(argument, () => `self.${attributeOf(argument, tree)}`);
      return kept.includes(" ") ? `(${kept})` : kept;
    });
  const withModules = (text: string): string =>
    fill(text, "module", (path) => `self.${access(tree, path.split("."))}`);
  const finish = (text: string): string => withModules(inForward(text));

  const statements = foldLoops(
    draft.statements.map((s) => ({ ...s, code: finish(s.code) })),
    tree,
  );
  const result = finish(draft.result);
  const types = { channels: "int", int: "int", float: "float" };
  const namespaces = { used: false };
  const init = [...tree.children].flatMap(([name, branch]) =>
    assign(`self.${name}`, construct(branch, inInit, namespaces)),
  );
  const keep = args
    .filter((a) => stored.has(a.name))
    .map((a) => `self.${attributeOf(a.name, tree)} = ${a.name}`);
  const parameters = args.map((a) => `, ${a.name}: ${types[a.kind]}`).join("");
  const inputs = draft.parameters.map((p) => `, ${p.name}: Tensor`).join("");
  const outputs =
    draft.outputs.length === 1 ? "Tensor" : `tuple[${draft.outputs.map(() => "Tensor").join(", ")}]`;
  const { block } = draft.place;
  const lines = [
    ...(block ? heading(block, sources) : (model?.heading ?? [])),
    ...signature(`class ${plan.name}(nn.Module):`),
    ...indent(
      docstring(
        model?.doc ??
          docOf(
            block,
            draft.parameters.map((p) => p.name),
            sources,
          ),
      ),
    ),
    "",
  ];
  const body = [...keep, ...init, ...(model?.init ?? [])];
  if (body.length > 0 || args.length > 0) {
    lines.push(
      ...indent(signature(`def __init__(self${parameters}${model?.parameters ?? ""}):`)),
      ...indent(["super().__init__()", ...body], 2),
      "",
    );
  }
  lines.push(...indent(signature(`def forward(self${inputs}) -> ${outputs}:`)));
  lines.push(...indent(withReturn(statements, result).flatMap(breakLong), 2));
  if (model) for (const method of model.methods) lines.push(method === "" ? "" : `    ${method}`);
  return { lines, namespaces: namespaces.used };
}

/** `y = f(x)`, `return y`: `return f(x)`. */
function withReturn(statements: readonly string[], result: string): string[] {
  const last = statements[statements.length - 1] ?? "";
  if (last.startsWith(`${result} = `))
    return [...statements.slice(0, -1), `return ${last.slice(result.length + 3)}`];
  return [...statements, `return ${result}`];
}

/** An argument that forward reads is kept under its name, unless a module has that. */
function attributeOf(argument: string, tree: Branch): string {
  return tree.children.has(argument) ? `${argument}_` : argument;
}

function treeOf(modules: ReadonlyMap<string, string>): Branch {
  const root: Branch = { construct: null, children: new Map() };
  for (const [path, text] of modules) {
    let at = root;
    for (const part of path.split(".")) {
      let next = at.children.get(part);
      if (!next) at.children.set(part, (next = { construct: null, children: new Map() }));
      at = next;
    }
    at.construct = text;
  }
  return root;
}

/** 0, 1, 2, …: a list; other numbers: a dictionary; names: a namespace. */
function kindOf({ construct: text, children }: Branch): "leaf" | "list" | "dict" | "namespace" {
  const keys = [...children.keys()];
  if (keys.length === 0) return "leaf";
  if (text !== null) throw new Error(`modules ${keys.join(", ")} would stand inside of ${text}`);
  if (!keys.every((key) => /^\d+$/.test(key))) return "namespace";
  return keys.every((key, i) => key === String(i)) ? "list" : "dict";
}

function access(root: Branch, path: readonly string[]): string {
  let at: Branch | undefined = root;
  let text = "";
  for (const part of path) {
    const kind: string = at && at !== root ? kindOf(at) : "namespace";
    if (kind === "list") text += `[${part}]`;
    else if (kind === "dict") text += `["${part}"]`;
    else text += text === "" ? part : `.${part}`;
    at = at?.children.get(part);
  }
  return text;
}

/** Lines of an expression that constructs a branch. */
function construct(branch: Branch, inInit: (text: string) => string, used: { used: boolean }): string[] {
  const kind = kindOf(branch);
  if (kind === "leaf") return [inInit(branch.construct ?? "nn.Module()")];
  const entries = [...branch.children].map(([key, child]) => ({
    key,
    lines: construct(child, inInit, used),
  }));
  if (kind === "list") {
    const [first] = entries;
    const text = first.lines.join("\n");
    if (entries.length > 1 && entries.every(({ lines }) => lines.join("\n") === text)) {
      const head =
        first.lines.length === 1 ? `nn.ModuleList(${text} for _ in range(${entries.length}))` : null;
      if (head) return [head];
    }
    return bracket(
      "nn.ModuleList([",
      entries.map((e) => e.lines),
      "])",
    );
  }
  if (kind === "dict")
    return bracket(
      "nn.ModuleDict({",
      entries.map(({ key, lines }) => prefixed(`"${key}": `, lines)),
      "})",
    );
  used.used = true;
  return bracket(
    "Namespace(",
    entries.map(({ key, lines }) => prefixed(`${key}=`, lines)),
    ")",
  );
}

function prefixed(prefix: string, [first, ...rest]: readonly string[]): string[] {
  return [`${prefix}${first}`, ...rest];
}

function bracket(open: string, entries: readonly (readonly string[])[], close: string): string[] {
  const flat = `${open}${entries.map((lines) => lines.join(" ")).join(", ")}${close}`;
  if (entries.every((lines) => lines.length === 1) && flat.length <= 72) return [flat];
  return [
    open,
    ...entries.flatMap((lines) => indent([...lines.slice(0, -1), `${lines[lines.length - 1]},`])),
    close,
  ];
}

function assign(target: string, lines: readonly string[]): string[] {
  return prefixed(`${target} = `, lines).flatMap(breakLong);
}

/** `x = self.blocks[0](x)`, `x = self.blocks[1](x)`, … over a whole list is a loop. */
function foldLoops(statements: readonly Statement[], tree: Branch): string[] {
  const lines: string[] = [];
  let comment = "";
  for (let i = 0; i < statements.length;) {
    const statement = statements[i];
    if (statement.comment !== "" && statement.comment !== comment) {
      lines.push(`# ${statement.comment}`);
      ({ comment } = statement);
    }
    const folded = loopAt(statements, i, tree);
    if (folded) {
      lines.push(...folded.lines);
      i += folded.count;
    } else {
      lines.push(statement.code);
      i++;
    }
  }
  return lines;
}

function loopAt(
  statements: readonly Statement[],
  at: number,
  tree: Branch,
): { lines: string[]; count: number } | null {
  const pattern = /^([\p{L}_][\p{L}\d_]*) = self\.([^()]*)\[(\d+)\]\(\1\)$/u;
  const first = pattern.exec(statements[at].code);
  if (!first || first[3] !== "0") return null;
  const [, name, path] = first;
  const container = path.split(/[.[\]"]+/).filter((part) => part !== "");
  let branch: Branch | undefined = tree;
  for (const part of container) branch = branch?.children.get(part);
  const count = branch?.children.size ?? 0;
  if (count < 2) return null;
  for (let k = 0; k < count; k++) {
    const match = pattern.exec(statements[at + k]?.code ?? "");
    if (!match || match[1] !== name || match[2] !== path || match[3] !== String(k)) return null;
  }
  const last = container.filter((part) => !/^\d+$/.test(part)).pop() ?? "block";
  const item = variable(last === name ? `${last}_module` : last);
  return { lines: [`for ${item} in self.${path}:`, `    ${name} = ${item}(${name})`], count };
}

/** The block's declaration as a comment above the class. */
function heading(block: BlockInstance, sources: ReadonlyMap<string, SourceFile>): string[] {
  const source = sources.get(block.span.file);
  if (!source) return [];
  const { line } = positionAt(source, block.span.start);
  return [`# ${block.span.file}:${line}`, ...headerOf(block, source).map((text) => `# ${text}`)];
}

/** Lines of the declaration up to its body. */
function headerOf(block: BlockInstance, source: SourceFile): string[] {
  const { span } = block;
  const header = source.text.slice(span.start, bodyStart(block, new Map([[span.file, source]])));
  return header
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("///"))
    .map((line) => line.trimEnd())
    .slice(0, 8);
}

/** The spec's own documentation, and shapes as the signature has them. */
function docOf(
  block: BlockInstance | null,
  parameters: readonly string[],
  sources: ReadonlyMap<string, SourceFile>,
): string[] {
  const source = block && sources.get(block.span.file);
  if (!block || !source) return [""];
  const docs = docsAbove(source, positionAt(source, block.span.start).line);
  const header = headerOf(block, source).join(" ");
  const shapes = [...header.matchAll(/(\p{L}[\p{L}\d_]*)\s*:\s*\[([^\]]*)\]\s*(?=[,)])/gu)].map(
    ([, name, dims]) => `${name}: [batch, ${dims}]`,
  );
  const to = /->\s*\[([^\]]*)\]/.exec(header)?.[1] ?? "";
  const extra = parameters.filter((p) => !shapes.some((s) => s.startsWith(`${p}:`)));
  const also = extra.includes("branch") ? "; branch: the value of f" : "";
  return [...docs, ...(docs.length > 0 ? [""] : []), `${shapes.join(", ")} -> [batch, ${to}]${also}`];
}

/** Lines of `///` above a declaration. */
export function docsAbove(source: SourceFile, declaration: number): string[] {
  const docs: string[] = [];
  for (let line = declaration - 1; line >= 1; line--) {
    const text = lineText(source, line).trim();
    if (!text.startsWith("///")) break;
    docs.unshift(text.replace(/^\/\/\/ ?/, ""));
  }
  return docs;
}

/** Long calls are broken after their opening bracket, and between arguments. */
function breakLong(line: string): string[] {
  const room = width - 8;
  if (line.length <= room || line.trimStart().startsWith("#")) return [line];
  const start = /^(\s*)/.exec(line)?.[1] ?? "";
  const open = line.indexOf("(", line.indexOf("= ") + 2);
  const close = line.lastIndexOf(")");
  if (open < 0 || close < open) return [line];
  const parts = splitTop(line.slice(open + 1, close));
  const rows: string[] = [];
  for (const part of parts) {
    const last = rows[rows.length - 1];
    if (last !== undefined && `${start}    ${last} ${part},`.length <= room)
      rows[rows.length - 1] = `${last} ${part},`;
    else rows.push(`${part},`);
  }
  // A trailing comma after a sole generator would make it a syntax error.
  if (parts.length === 1 || rows.length === 1) rows[rows.length - 1] = rows[rows.length - 1].slice(0, -1);
  return [
    line.slice(0, open + 1),
    ...rows.map((row) => `${start}    ${row}`),
    `${start}${line.slice(close)}`,
  ];
}

/** `def f(a, b):` over several lines where it is long. */
function signature(line: string): string[] {
  return breakLong(line);
}

/** Parts between commas that stand in no bracket. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if ("([{".includes(text[i])) depth++;
    else if (")]}".includes(text[i])) depth--;
    else if (text[i] === "," && depth === 0) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  parts.push(text.slice(from).trim());
  return parts.filter((part) => part !== "");
}
