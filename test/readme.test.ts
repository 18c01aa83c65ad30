import { readFileSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { checkFiles } from "../src/cli/check.ts";
import { nodeHost } from "../src/cli/host-node.ts";

const readme = readFileSync("README.md", "utf8");

it("the README's spec is proven as it stands", () => {
  const source = /```\n(lips 1\n[\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const host = { ...nodeHost, readText: (path: string) => (path === "readme.lips" ? source : undefined) };
  const { code, reports, diagnostics } = checkFiles(host, ["readme.lips"]);
  expect(diagnostics).toEqual([]);
  expect(code).toBe(0);
  expect(reports[0].verdicts.map((v) => v.status)).toEqual(["proven"]);
});

it(".ci/run runs the README's commands", () => {
  const ci = readFileSync(".ci/run", "utf8");
  const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block.trim().split("\n"),
  );
  expect(commands).toEqual(["npm ci", "npm start", "npm test"]);
  for (const command of commands) expect(ci.split("\n")).toContain(command);
});

it("the README names every page of the documentation", () => {
  const pages = readdirSync("docs").filter((name) => name.endsWith(".md"));
  expect(pages.filter((name) => !readme.includes(`](docs/${name})`))).toEqual([]);
});

it("the README names every JSON Schema", () => {
  const schemas = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".schema.json"),
  );
  expect(schemas.length).toBeGreaterThan(5);
  expect(schemas.filter((path) => !readme.includes(`](src/${path})`))).toEqual([]);
});

it("the README links to files that are there", () => {
  for (const [, path] of readme.matchAll(/\]\(([^)#]+)\)/g))
    expect(() => readFileSync(path), path).not.toThrow(/ENOENT/);
});
