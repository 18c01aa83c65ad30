// Compiles a checkout before its code runs: `npm ci` runs no scripts here, the project's own included (.npmrc), and what was
// compiled before a `git pull` must not run in the place of what is there now. A published package has no sources.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
/** Written when all the rest is there. */
const compiled = at("dist/compiled");

if (existsSync(at("src")) && (!existsSync(compiled) || statSync(compiled).mtimeMs < newestSource())) {
  process.stderr.write("compiling lipsc …\n");
  execFileSync(process.execPath, [at("scripts/build.mjs")], { stdio: ["ignore", "ignore", "inherit"] });
}

/** When the sources last changed; a file that was taken away changes its folder. */
function newestSource() {
  const files = ["scripts/build.mjs", "tsconfig.json", "tsconfig.build.json", "package-lock.json"].map(at);
  for (const folder of ["src", "grammar", "bench"].map(at)) {
    files.push(folder);
    for (const entry of readdirSync(folder, { recursive: true })) files.push(`${folder}/${entry}`);
  }
  return Math.max(...files.filter((file) => existsSync(file)).map((file) => statSync(file).mtimeMs));
}
