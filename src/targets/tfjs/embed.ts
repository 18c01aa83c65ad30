/**
 * Parts of the compiler's own source that a generated file holds as text: real files, type-checked and tested where they
 * stand, of which only what is needed is taken. Relies on Prettier's layout: declarations begin in the first column.
 */
import { width } from "./layout.ts";

interface Declaration {
  readonly name: string;
  /** With its comment, without `export`. */
  readonly text: string;
  readonly refers: ReadonlySet<string>;
}

/** Text of the declarations of `files` that `roots` need, in their order. */
export function embed(files: readonly string[], roots: Iterable<string>): string {
  const declarations = files.flatMap(declarationsOf);
  const byName = new Map<string, Declaration>();
  for (const declaration of declarations) {
    if (byName.has(declaration.name)) throw new Error(`${declaration.name} is declared twice`);
    byName.set(declaration.name, declaration);
  }
  const needed = new Set<Declaration>();
  const need = (name: string): void => {
    const declaration = byName.get(name);
    if (declaration === undefined || needed.has(declaration)) return;
    needed.add(declaration);
    for (const other of declaration.refers) need(other);
  };
  for (const root of roots) {
    if (!byName.has(root)) throw new Error(`nothing to embed is called ${root}`);
    need(root);
  }
  return declarations
    .filter((declaration) => needed.has(declaration))
    .map((declaration) => declaration.text)
    .join("\n\n");
}

/** Every name that the files declare. */
export function declaredNames(files: readonly string[]): string[] {
  return files.flatMap((file) => declarationsOf(file).map((declaration) => declaration.name));
}

const declares = /^(?:export )?(?:declare )?(?:async )?(?:function|class|const|let|interface|type) (\w+)/;

/** Parameters that fit on one line once `export` is gone. */
function reflow(text: string): string {
  return text.replace(/^(function \w+)\(\n((?: {2}\S.*,\n)+)\)(.*)$/m, (whole, head, list, tail) => {
    const parameters = String(list)
      .trim()
      .split("\n")
      .map((line) => line.trim().replace(/,$/, ""));
    const line = `${head}(${parameters.join(", ")})${tail}`;
    return line.length <= width ? line : String(whole);
  });
}

const begins =
  /^(?:\/\*\*|\/\/|import |export |declare |async |function |class |const |let |interface |type )/;

function declarationsOf(file: string): Declaration[] {
  const found: Declaration[] = [];
  let lines: string[] = [];
  const finish = (): void => {
    const at = lines.findIndex((line) => declares.test(line));
    const name = at < 0 ? undefined : declares.exec(lines[at])?.[1];
    if (name !== undefined) {
      const own = lines.join("\n").trim();
      const text = reflow(own.replace(/^export /m, ""));
      const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
      found.push({
        name,
        text,
        refers: new Set((code.match(/(?<![.\w])[A-Za-z_]\w*/g) ?? []).filter((w) => w !== name)),
      });
    }
    lines = [];
  };
  let declared = false;
  let imports = false;
  for (const line of file.split("\n")) {
    if (begins.test(line) && declared) {
      finish();
      declared = false;
    }
    // Imports, and the comment at the head of a file, belong to no declaration.
    imports ||= line.startsWith("import ");
    if (imports || (line === "" && !declared)) lines = [];
    else lines.push(line);
    if (imports && line.endsWith(";")) imports = false;
    if (declares.test(line)) declared = true;
  }
  finish();
  return found;
}
