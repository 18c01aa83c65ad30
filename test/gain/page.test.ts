/** docs/gains.md and the code speak of the same rules. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { nodeHost } from "../../src/cli/host-node.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import { Analysis } from "../../src/gain/analyze.ts";

const root = join(import.meta.dirname, "..", "..");
const page = readFileSync(join(root, "docs", "gains.md"), "utf8");
const headings = new Set([...page.matchAll(/^#{2,4} (?:\d+ )?(.+)$/gm)].map((m) => m[1].toLowerCase()));
/** `Pointwise: GELU` stands under `Pointwise`. */
const has = (rule: string): boolean =>
  headings.has(rule.toLowerCase()) || headings.has(rule.split(":")[0].toLowerCase());

it("every rule that the code names has a heading", () => {
  const folder = join(root, "src");
  const named = new Set<string>();
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((p) =>
    /^(layers|gain).*\.ts$/.test(p),
  )) {
    const text = readFileSync(join(folder, path), "utf8");
    for (const [, rule] of text.matchAll(
      /rule: "([^"]+)"|(?:affineRules|inferenceIdentity)(?:<[^>]*>)?\(\s*"([^"]+)"/g,
    ))
      if (rule) named.add(rule);
    for (const [, rule] of text.matchAll(/(?:affineRules|inferenceIdentity)(?:<[^>]*>)?\(\s*"([^"]+)"/g))
      named.add(rule);
  }
  named.delete("no proven rule");
  expect([...named].length).toBeGreaterThan(15);
  expect([...named].filter((rule) => !has(rule))).toEqual([]);
});

it("every rule that the examples meet has a heading", () => {
  const met = new Set<string>();
  const examples = join(root, "test", "fixtures", "examples");
  for (const file of readdirSync(examples).filter((f) => f.endsWith(".lips"))) {
    for (const model of elaborateFile(nodeHost, join(examples, file), new Diagnostics()).models) {
      const analysis = new Analysis(model, "init");
      const sources =
        model.inputs[0].domain.kind === "tokens"
          ? model.taps.slice(1, 2).map((t) => t.value)
          : [model.inputs[0].value];
      for (const source of sources) {
        const gains = analysis.from(source);
        for (const node of model.nodes) for (const value of node.outputs) met.add(gains.rule(value));
      }
    }
  }
  met.delete("");
  met.delete("no proven rule");
  expect(met.size).toBeGreaterThan(20);
  expect([...met].filter((rule) => !has(rule))).toEqual([]);
});

it("every file that it names exists", () => {
  for (const [, path] of page.matchAll(/`((?:[a-z-]+\/)*[a-z-]+\.ts)`/g)) {
    const found = [path, join("src", "layers", path), join("src", "gain", path)].some((p) =>
      existsSync(join(root, p)),
    );
    expect(found, path).toBe(true);
  }
});
