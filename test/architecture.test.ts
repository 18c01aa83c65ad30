import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, it } from "vitest";

/** Each room knows only these others (docs/architecture.md). */
const rooms: Record<string, readonly string[]> = {
  text: [],
  diagnostics: ["text"],
  grammar: ["text"],
  syntax: ["grammar", "text", "diagnostics"],
  model: ["text"],
  gain: ["model", "text", "diagnostics", "layers"],
  graph: ["model", "text", "diagnostics", "layers", "gain"],
  layers: ["model", "gain", "graph", "diagnostics", "elaborate"],
  elaborate: ["syntax", "model", "layers", "gain", "text", "diagnostics"],
  solve: ["elaborate", "gain", "model", "diagnostics"],
  targets: ["graph", "model", "diagnostics", "text"],
  rounding: ["graph", "gain", "layers", "model", "diagnostics"],
  measure: ["gain", "model", "graph", "rounding"],
  certificate: ["gain", "model"],
  symbolic: ["certificate", "gain", "model"],
  runtime: ["targets", "graph", "model", "diagnostics", "gain"],
};

const files = ["src", "grammar"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(folder, path)),
);

const roomOf = (path: string): string => (path.startsWith("grammar") ? "grammar" : path.split("/")[1]);

it("every room imports only from the rooms it may know", () => {
  const strays: string[] = [];
  for (const file of files) {
    const allowed = rooms[roomOf(file)];
    if (!allowed) continue;
    for (const [, path] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g)) {
      const target = relative(".", join(dirname(file), path));
      const room = roomOf(target);
      // The one target that knows layers: it writes modules that people read (docs/architecture.md).
      if (room === "layers" && file.startsWith("src/targets/pytorch/layers/")) continue;
      if (room === roomOf(file) || target === "src/host.ts" || allowed.includes(room)) continue;
      strays.push(`${file} → ${target}`);
    }
  }
  expect(strays).toEqual([]);
});

it("the checker of certificates imports nothing but its own files and Node's modules", () => {
  const checker = files.filter((file) => file.startsWith("src/certificate/verify/"));
  expect(checker.length).toBeGreaterThan(10);
  const strays = checker.flatMap((file) =>
    importsOf(file).filter((path) => {
      const target = relative(".", join(dirname(file), path));
      return !path.startsWith("node:") && !target.startsWith("src/certificate/verify/");
    }),
  );
  expect(strays).toEqual([]);
});

/** What a file imports, by any form of import. */
function importsOf(file: string): string[] {
  const text = stripComments(readFileSync(file, "utf8"));
  return [...text.matchAll(/(?:from|import|import\()\s*"([^"]+)"/g)].map(([, path]) => path);
}

it("the compiler proper has no door to files, clock or network but the host", () => {
  const pure = [
    "text",
    "diagnostics",
    "grammar",
    "syntax",
    "model",
    "gain",
    "graph",
    "layers",
    "elaborate",
    "solve",
    "targets",
  ];
  const strays = files
    .filter((file) => pure.includes(roomOf(file)))
    .filter((file) =>
      /from "node:|\bprocess\.|\bDate\.now|\bMath\.random|\bfetch\(/.test(
        stripComments(readFileSync(file, "utf8")),
      ),
    );
  // The text of the program that `build` writes is a string, not code of ours.
  expect(strays.filter((file) => !file.endsWith("targets/onnx/runner.ts"))).toEqual([]);
});

it("no file names a path of a machine or a registry's host", () => {
  const strays = files.filter((file) =>
    /\/(home|root|work)\/|registry\.npmjs|githubusercontent/.test(readFileSync(file, "utf8")),
  );
  expect(strays).toEqual([]);
});

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}
