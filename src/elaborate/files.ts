/** Files and imports: loading, names of a file, and the fence around what a spec may read. */
import { parseFile } from "../syntax/parse.ts";
import type { Block, Expr, File, Import, Let, ModelItem, Name, Param, Train } from "../syntax/ast.ts";
import type { SourceFile, Span } from "../text/source.ts";
import { layers } from "../layers/registry.ts";
import { functionNames, nearest } from "./words.ts";
import type { Run } from "./run.ts";
import type { Val } from "./values.ts";

export type FileName =
  | { readonly kind: "block"; readonly block: Block; readonly file: LoadedFile }
  | { readonly kind: "model"; readonly model: ModelItem; readonly file: LoadedFile }
  | { readonly kind: "constant"; readonly let: Let; readonly file: LoadedFile };

export interface LoadedFile {
  readonly source: SourceFile;
  /** As the host knows it; null for the standard library. */
  readonly path: string | null;
  readonly ast: File;
  readonly names: Map<string, FileName>;
  /** Names whose import failed: they raise no second error. */
  readonly lost: Set<string>;
  readonly trains: Train[];
  /** Values of constants, made when first asked for; "running" while that happens. */
  readonly constants: Map<string, Val | "running">;
}

/** Loads a file and what it imports. `chain`: the files that are being loaded, for cycles. */
export function loadFile(
  run: Run,
  source: SourceFile,
  path: string | null,
  chain: readonly string[],
): LoadedFile {
  const ast = parseFile(source, run.diagnostics);
  run.sources.set(source.name, source);
  const file: LoadedFile = {
    source,
    path,
    ast,
    names: new Map(),
    lost: new Set(),
    trains: [],
    constants: new Map(),
  };
  const here = [...chain, source.name];
  for (const item of ast.items) if (item.kind === "import") importNames(run, file, item, here);
  const places = new Map<string, Span>();
  for (const item of ast.items) {
    if (item.kind === "block") addName(run, file, places, item.name, { kind: "block", block: item, file });
    else if (item.kind === "model")
      addName(run, file, places, item.name, { kind: "model", model: item, file });
    else if (item.kind === "train") file.trains.push(item);
    else if (item.kind === "let") {
      const names = item.pattern.kind === "name" ? [item.pattern.name] : item.pattern.names;
      for (const name of names) addName(run, file, places, name, { kind: "constant", let: item, file });
    }
  }
  for (const name of file.names.values()) {
    if (name.file !== file || name.kind === "constant") continue;
    checkParameters(run, file, name.kind === "block" ? name.block.params : name.model.params);
    if (name.kind === "block") checkRecursion(run, file, name.block);
  }
  return file;
}

/** A parameter's name means one thing: not a name of the file or a built-in one as well, and not two parameters. */
function checkParameters(run: Run, file: LoadedFile, params: readonly Param[]): void {
  const seen = new Map<string, Span>();
  for (const { name } of params) {
    const { text, span } = name;
    const first = seen.get(text);
    if (text === "") continue;
    if (layers.has(text) || functionNames.has(text)) {
      run.report("built-in-name", span, { name: text, what: layers.has(text) ? "layer" : "function" });
    } else if (file.names.has(text)) run.report("shadows-file-name", span, { name: text });
    else if (first) {
      const related = [{ span: first, message: "first here" }];
      run.report("declared-twice", span, { name: text }, { related, help: "give one of them another name" });
    } else seen.set(text, span);
  }
}

function addName(run: Run, file: LoadedFile, places: Map<string, Span>, name: Name, value: FileName): void {
  const { text, span } = name;
  if (text === "") return;
  if (layers.has(text) || functionNames.has(text)) {
    run.report("built-in-name", span, { name: text, what: layers.has(text) ? "layer" : "function" });
    return;
  }
  if (value.kind !== "constant" && !/^\p{Lu}/u.test(text)) {
    const better = text.replace(/^_*(.)/u, (_, first: string) => first.toUpperCase());
    const fixes = [
      { title: `write \`${better}\``, edits: [{ span, text: better }], meaning: "keeps" as const },
    ];
    run.report("capital-name", span, { what: value.kind, name: text, better }, { fixes });
  }
  const first = places.get(text);
  if (first) {
    run.report(
      "declared-twice",
      span,
      { name: text },
      { related: [{ span: first, message: "first here" }], help: "give one of them another name" },
    );
    return;
  }
  if (file.names.has(text)) {
    run.report(
      "shadows-file-name",
      span,
      { name: text },
      { help: "it is imported above; use `import { … as … }`" },
    );
    return;
  }
  places.set(text, span);
  file.names.set(text, value);
}

function importNames(run: Run, file: LoadedFile, item: Import, chain: readonly string[]): void {
  const other = loadImport(run, file, item, chain);
  for (const { name, as } of item.names) {
    const local = as ?? name;
    if (layers.has(local.text) || functionNames.has(local.text)) {
      run.report("built-in-name", local.span, {
        name: local.text,
        what: layers.has(local.text) ? "layer" : "function",
      });
      continue;
    }
    const found = other?.names.get(name.text);
    if (found) {
      if (file.names.has(local.text))
        run.report(
          "declared-twice",
          local.span,
          { name: local.text },
          { help: "give one of them another name with `as`" },
        );
      else file.names.set(local.text, found);
      continue;
    }
    file.lost.add(local.text);
    if (!other || other.lost.has(name.text)) continue;
    const near = nearest(name.text, other.names.keys());
    const fixes =
      near === null
        ? []
        : [
            {
              title: `write \`${near}\``,
              edits: [{ span: name.span, text: near }],
              meaning: "changes" as const,
            },
          ];
    run.report("not-in-file", name.span, { name: name.text, from: item.from.text, nearest: near }, { fixes });
  }
}

/** Why this text is no import path, or null. */
function badPath(from: string): string | null {
  if (from.includes("://")) return "it is an address, and a spec reads no network";
  if (from.startsWith("/") || /^[A-Za-z]:/.test(from) || from.startsWith("~"))
    return "it is not relative to this file";
  if (from.includes("\\")) return "folders are parted by `/`";
  if (from.includes("\0")) return "it holds a zero character";
  if (!from.endsWith(".lips")) return "its name doesn't end in `.lips`";
  return null;
}

function loadImport(run: Run, file: LoadedFile, item: Import, chain: readonly string[]): LoadedFile | null {
  const from = item.from.text;
  // The parser told of an import without a path; quotes alone are one.
  if (from === "" && item.from.span.end - item.from.span.start < 2) return null;
  const standard = from.startsWith("std/") && !from.includes("..");
  if (!standard) {
    const why = file.path === null ? "the standard library imports only itself" : badPath(from);
    if (why !== null) {
      run.report("import-path", item.from.span, { from, why });
      return null;
    }
  }
  const path = standard ? null : run.host.resolve(file.path ?? "", from);
  const name = path ?? `${from}.lips`;
  if (chain.includes(name)) {
    run.report("cyclic-import", item.from.span, { chain: [...chain.slice(chain.indexOf(name)), name] });
    return null;
  }
  const known = run.files.get(name);
  if (known) return known;
  const text = path === null ? run.host.readStd(from) : run.host.readText(path);
  if (text === undefined) {
    const why = path === null ? null : (run.host.whyUnreadable?.(path) ?? null);
    run.report("import-missing", item.from.span, { from, why });
    return null;
  }
  const loaded = loadFile(run, { name, text }, path, chain);
  run.files.set(name, loaded);
  return loaded;
}

const namesOf = new WeakMap<Block, ReadonlySet<string>>();

/** Names in the text of a block. */
function namesIn(block: Block): ReadonlySet<string> {
  const known = namesOf.get(block);
  if (known) return known;
  const names = new Set<string>();
  namesOf.set(block, names);
  const pending: unknown[] = [block.params, block.result, block.body];
  while (pending.length > 0) {
    const at = pending.pop();
    if (Array.isArray(at)) pending.push(...(at as unknown[]));
    else if (typeof at === "object" && at !== null) {
      const node = at as Partial<Expr>;
      if (node.kind === "name" && "text" in node && typeof node.text === "string") names.add(node.text);
      for (const [key, value] of Object.entries(at)) {
        if (key !== "span" && typeof value === "object") pending.push(value);
      }
    }
  }
  return names;
}

/** A block that names itself, directly or through others, would never end. */
function checkRecursion(run: Run, file: LoadedFile, start: Block): void {
  if (recursive.has(start)) return;
  const seen = new Set<string>();
  const search = (name: string, chain: readonly string[]): boolean => {
    const found = file.names.get(name);
    if (!found || found.kind !== "block" || found.file !== file) return false;
    if (name === start.name.text && chain.length > 0) {
      run.report("block-recursion", start.name.span, { chain: [...chain, name] });
      for (const part of chain) {
        const member = file.names.get(part);
        if (member?.kind === "block") recursive.add(member.block);
      }
      return true;
    }
    if (seen.has(name) || chain.length > 100) return false;
    seen.add(name);
    for (const next of namesIn(found.block)) if (search(next, [...chain, name])) return true;
    return false;
  };
  search(start.name.text, []);
}

/** Blocks that contain themselves; an application of one is an unknown value. */
export const recursive = new WeakSet<Block>();
