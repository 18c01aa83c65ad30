import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkFiles } from "../../src/cli/check.ts";
import { nodeHost } from "../../src/cli/host-node.ts";
import { checkDocument } from "../../src/cli/report/json.ts";
import { showBound, showBytes, showCount, showFactor, showLimit } from "../../src/cli/report/numbers.ts";
import type { Host } from "../../src/host.ts";
import { schemaCheck } from "./schemas.ts";

const examples = join(import.meta.dirname, "..", "fixtures", "examples");
const schemaErrors = schemaCheck("check");

interface Bound {
  readonly upper: number | "Infinity";
  readonly log10: number | null;
  readonly causes: readonly {
    readonly factor: number | "Infinity";
    readonly path: string;
    readonly line: number | null;
  }[];
}
interface Document {
  readonly models: readonly {
    readonly name: string;
    readonly bounds: readonly Bound[];
    readonly claims: readonly { readonly proven: boolean }[];
  }[];
  readonly diagnostics: readonly object[];
}

function documentOf(host: Host, files: readonly string[]): { document: Document; code: number } {
  const { reports, diagnostics, sources, code } = checkFiles(host, files);
  // What is printed: no infinity and no undefined survive JSON.
  return { document: JSON.parse(JSON.stringify(checkDocument(reports, diagnostics, sources))), code };
}

function text(source: string): Host {
  return { ...nodeHost, readText: (path) => (path === "x.lips" ? source : nodeHost.readText(path)) };
}

describe("the JSON document", () => {
  it.each(readdirSync(examples).filter((f) => f.endsWith(".lips")))("fits its schema for %s", (file) => {
    const { document } = documentOf(nodeHost, [join(examples, file)]);
    expect(schemaErrors(document)).toEqual([]);
    for (const model of document.models) {
      for (const { upper, log10, causes } of model.bounds) {
        if (upper === "Infinity" || upper === 0) {
          expect(log10).toBeNull();
          continue;
        }
        expect(log10).toBeCloseTo(Math.log10(upper), 12);
        // The causes multiply to the bound.
        const product = causes.reduce((sum, c) => sum + Math.log10(c.factor as number), 0);
        expect(product).toBeCloseTo(Math.log10(upper), 8);
      }
    }
  });

  it("is one even for a file that doesn't parse, or isn't there", () => {
    for (const source of ["model {", "", "lips 1\nmodel A { input x: [3] }"]) {
      const { document } = documentOf(text(source), ["x.lips"]);
      expect(schemaErrors(document)).toEqual([]);
    }
    const missing = documentOf(nodeHost, ["nowhere.lips"]);
    expect(missing.code).toBe(1);
    expect(schemaErrors(missing.document)).toEqual([]);
  });
});

describe("the exit code", () => {
  const model = (claim: string): Host =>
    text(
      `lips 1\nmodel A {\n  input x: [3] in [0, 1]\n  weights { init: spectral }\n  output y = x |> Linear(2)\n  ${claim}\n}\n`,
    );
  it("is 0 for what is proven, open or not claimed", () => {
    expect(checkFiles(model("certify at init: gain(x -> y) <= 1"), ["x.lips"]).code).toBe(0);
    expect(checkFiles(model("certify at checkpoint: gain(x -> y) <= 1"), ["x.lips"]).code).toBe(0);
    expect(checkFiles(model(""), ["x.lips"]).code).toBe(0);
  });
  it("is 1 for a claim that is not proven", () => {
    expect(checkFiles(model("certify at init: gain(x -> y) <= 0.999999"), ["x.lips"]).code).toBe(1);
    expect(checkFiles(model("certify always: gain(x -> y) <= 1e300"), ["x.lips"]).code).toBe(1);
  });
  it("is 1 for a model whose unknown number no value solves; nothing is proven of it", () => {
    const source =
      "lips 1\nmodel A {\n  input x: [3] in [0, 1]\n  let a = solve(in: [2, 3])\n  output y = x |> Scale(a)\n  certify always: gain(x -> y) <= 1\n}\n";
    const { document, code } = documentOf(text(source), ["x.lips"]);
    expect(code).toBe(1);
    expect(document.models[0].claims).toMatchObject([{ proven: false, upper: "Infinity" }]);
    expect(document.models[0].bounds.every((b) => b.upper === "Infinity")).toBe(true);
  });
});

describe("numbers for people", () => {
  it("of bounds are never below the bound", () => {
    for (let i = 0; i < 5000; i++) {
      const x = 10 ** (Math.random() * 60 - 20) * (1 + Math.random());
      const shown = Number(showBound(x));
      expect(shown).toBeGreaterThanOrEqual(x);
      expect(shown).toBeLessThanOrEqual(x * 1.011);
    }
    expect(["1", "0.151", "0", "∞", "4.37", "2.4e24"]).toEqual(
      [1, 0.1505, 0, Infinity, 4.361, 2.395e24].map(showBound),
    );
    expect(showBound(NaN)).toBe("no bound");
  });
  it("read well", () => {
    expect([1017, 1024].map((n) => showBytes(n * 1024))).toEqual(["1017 KiB", "1.00 MiB"]);
    expect(showCount(30908578)).toBe("30 908 578");
    expect(showFactor(7.0000001)).toBe("7");
    expect(showLimit(0.009999999999999998)).toBe("0.01");
    expect(showLimit(1e9)).toBe("1e9");
  });
});
