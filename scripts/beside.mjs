// What the opt-in checks share: packages installed beside the project, in a cache folder, so that `npm ci` stays small.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** `LIPSC_CACHE`, or a folder in node_modules, which `npm ci` empties. */
const cache = process.env.LIPSC_CACHE ?? join(root, "node_modules", ".cache", "lipsc");

/** Ends the check: it could not be made here, which is no failure. */
export function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

export function say(line) {
  console.log(`• ${line}`);
}

/** A folder of its own for `name` and its packages; nothing is downloaded by their install scripts. */
export function installBeside(name, packages) {
  const folder = join(cache, name);
  mkdirSync(folder, { recursive: true });
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, JSON.stringify({ private: true }) + "\n");
  const there = packages.every((p) => existsSync(join(folder, "node_modules", ...nameOf(p).split("/"))));
  if (!there) {
    say(`npm install ${packages.join(" ")}`);
    const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", ...packages];
    const { status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) skip(`npm could not install ${packages.join(" ")}: ${lastLine(stderr)}`);
  }
  return folder;
}

/** Runs a program; its output is shown unless the caller wants it. */
export function run(program, args, { cwd = root, env = {}, quiet = false } = {}) {
  const stdio = quiet ? "pipe" : "inherit";
  return spawnSync(program, args, { cwd, env: { ...process.env, ...env }, stdio, encoding: "utf8" });
}

export function lastLine(text) {
  const lines = (text ?? "").trim().split("\n");
  return lines[lines.length - 1] ?? "";
}

/** `@tensorflow/tfjs-node@4.22.0` → `@tensorflow/tfjs-node` */
function nameOf(packageAtVersion) {
  return packageAtVersion.replace(/(.)@.*$/, "$1");
}
