// Builds the command line: TypeScript to dist/, and the data files that the code reads beside itself.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
// The parser library's own one-file bundle loads in 13 ms, its entry in the registry (hundreds of modules) in 270 ms.
cpSync(
  join(dirname(require.resolve("chevrotain")), "..", "chevrotain.min.mjs"),
  join(root, "dist", "grammar", "chevrotain.js"),
);
cpSync(join(root, "src", "std"), join(root, "dist", "src", "std"), { recursive: true });
cpSync(
  join(root, "src", "targets", "pytorch", "python"),
  join(root, "dist", "src", "targets", "pytorch", "python"),
  { recursive: true, filter: (path) => !path.includes("__pycache__") },
);
// JSON Schemas of what is printed and written, for those who read it.
for (const path of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
  if (path.endsWith(".schema.json")) cpSync(join(root, "src", path), join(root, "dist", "src", path));
}
// Source that generated files hold as text (src/targets/tfjs/model-file.ts).
for (const path of [
  ...readdirSync(join(root, "src", "targets", "tfjs", "support")).map(
    (name) => `src/targets/tfjs/support/${name}`,
  ),
  ...["mix", "orthonormal", "initialise", "primitives/size"].map((name) => `src/graph/${name}.ts`),
  ...["up", "products", "spectral"].map((name) => `src/gain/${name}.ts`),
  "src/model/model.ts",
]) {
  cpSync(join(root, path), join(root, "dist", path));
}
chmodSync(join(root, "dist", "src", "cli", "main.js"), 0o755);
writeFileSync(join(root, "dist", "compiled"), "");
