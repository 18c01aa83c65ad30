/** What trained weights guarantee: a run that was really trained, certified and audited by the real command line. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { auditText, broken } from "../../src/cli/report/audit.ts";
import { painter } from "../../src/cli/report/table.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { entry, norms } from "../../src/gain/gain.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { measure } from "../../src/measure/measure.ts";
import { readSafetensors, writeSafetensors } from "../../src/runtime/safetensors.ts";
import { elaborateAt } from "../elaborate/host.ts";
import { lipsc, lipscIn } from "./run.ts";
import { schemaCheck } from "./schemas.ts";

const fixture = "test/fixtures/tiny-fashion.lips";
const folder = mkdtempSync(join(tmpdir(), "lipsc-certify-"));
const certifySchema = schemaCheck("certify");
const auditSchema = schemaCheck("audit");

/** The fixture with a claim about its checkpoint, trained for an epoch. */
const trained = (async () => {
  const spec = join(folder, "spec.lips");
  const text = readFileSync(fixture, "utf8").replace(
    "  output logits",
    "  certify at checkpoint: gain(image -> logits) <= 1e6\n  certify at checkpoint: margin(image -> logits, l2) <= 1e-3\n  output logits",
  );
  writeFileSync(spec, text);
  const run = join(folder, "run");
  const done = await lipsc("train", spec, "--epochs", "1", "--out", run);
  if (done.code !== 0) throw new Error(done.stderr);
  return { spec, run, weights: join(run, "model.safetensors") };
})();

interface Document {
  readonly spec: { readonly files: readonly { readonly path: string; readonly sha256: string }[] };
  readonly weights: { readonly sha256: string };
  readonly model: {
    readonly bounds: readonly { phase: string; normIn: string; normOut: string; upper: number }[];
    readonly claims: readonly { text: string; proven: boolean; upper: number }[];
  };
  readonly diagnostics: readonly { code: string }[];
}

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("lipsc certify", () => {
  it("proves a trained run's bound, decides its claims, and names the bytes that it is about", async () => {
    const { spec, run, weights } = await trained;
    const text = await lipsc("certify", run);
    expect(text.code).toBe(1);
    expect(text.stdout).toContain("gain image → logits  at checkpoint");
    expect(text.stdout).toContain(sha256(weights));
    expect(text.stdout).toContain(sha256(spec));
    expect(text.stdout).toMatch(/✓ {2}at checkpoint: gain\(image -> logits\) <= 1e6 +proven/);
    expect(text.stdout).toMatch(/✗ {2}at checkpoint: margin/);
    expect(text.stderr).toContain("LIPS0403");

    const json = await lipsc("certify", run, "--format", "json");
    const document = JSON.parse(json.stdout) as Document;
    expect(certifySchema(document)).toEqual([]);
    expect(document.weights.sha256).toBe(sha256(weights));
    expect(document.spec.files.find(({ path }) => path.endsWith("spec.lips"))?.sha256).toBe(sha256(spec));
    expect(document.model.claims.map(({ proven }) => proven)).toEqual([true, false]);
    expect(document.model.bounds.every(({ upper }) => Number.isFinite(upper))).toBe(true);
  });

  it("shows the bound as a formula in the norms of the trained weights, layer after layer", async () => {
    const { run } = await trained;
    const text = await lipsc("certify", run, "--formula");
    expect(text.stdout).toContain("image → logits at checkpoint as a formula");
    expect(text.stdout).toMatch(
      /the bound is A = \S+, layer after layer; with neighbours multiplied first \S+ is proven/,
    );
    const json = await lipsc("certify", run, "--formula", "--format", "json");
    const document = JSON.parse(json.stdout) as {
      model: { formulas: { upper: number; value: number; symbols: { text: string; values: number[] }[] }[] };
    };
    expect(certifySchema(document)).toEqual([]);
    const [{ upper, value, symbols }] = document.model.formulas;
    expect(value).toBeGreaterThanOrEqual(upper);
    expect(symbols.some(({ text: name }) => name.startsWith("σ"))).toBe(true);
    const latex = await lipsc("certify", run, "--formula", "latex");
    expect(latex.stdout).toMatch(/^% lipsc: the l2 bound of image -> logits at checkpoint/);
  });

  it("the spec with --weights gives the same numbers; a claim that holds is exit code 0", async () => {
    const { spec, run, weights } = await trained;
    const bounds = async (...args: string[]): Promise<unknown> =>
      (JSON.parse((await lipsc("certify", ...args, "--format", "json")).stdout) as Document).model.bounds;
    expect(await bounds(spec, "--weights", weights)).toEqual(await bounds(run));
    // Other claims are about the same network; another domain is another network.
    const text = readFileSync(spec, "utf8");
    const kind = join(folder, "kind.lips");
    writeFileSync(kind, text.replace(/.*margin.*\n/, ""));
    expect((await lipsc("certify", kind, "--weights", weights)).code).toBe(0);
    const wider = join(folder, "wider.lips");
    writeFileSync(wider, text.replace("in [0, 1]", "in [0, 2]"));
    const other = await lipsc("certify", wider, "--weights", weights);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain("it was made from another spec");
  });

  it("shows the weights that training starts from where anything is proven of them, and no column of ∞ else", async () => {
    const [spec, weights] = [join(folder, "column.lips"), join(folder, "column.safetensors")];
    const tensors = new Map([
      ["linear.weight", { dtype: "F32" as const, shape: [2, 2], data: Float32Array.of(3, 0, 0, 1) }],
      ["linear.bias", { dtype: "F32" as const, shape: [2], data: new Float32Array(2) }],
    ]);
    writeFileSync(weights, writeSafetensors(tensors));
    const head = async (init: string): Promise<string[]> => {
      const body = `input x: [2] in [0, 1]\n  weights { init: ${init} }\n  output y = x |> Linear(2)`;
      writeFileSync(spec, `lips 1\nmodel L {\n  ${body}\n}\n`);
      const { stdout } = await lipsc("certify", spec, "--weights", weights);
      return stdout.split("\n").filter((line) => line.includes("∞") || line.includes("gain x → y "));
    };
    expect(await head("spectral")).toEqual([expect.stringMatching(/at checkpoint +at init$/)]);
    expect(await head("kaiming")).toEqual([expect.stringMatching(/at checkpoint$/)]);
  });

  it("fits 80 columns, with hashes below their paths; so does audit", async () => {
    const { run, weights } = await trained;
    const audit = ["audit", run, "--restarts", "2", "--steps", "2"];
    for (const args of [["certify", run], audit]) {
      const { stdout } = await lipscIn({ COLUMNS: "80" }, ...args);
      const wide = stdout.split("\n").filter((line) => line.length > 80 && !line.includes(run));
      expect(wide).toEqual([]);
      if (args[0] === "certify") expect(stdout).toMatch(new RegExp(`^ {11}${sha256(weights)}$`, "m"));
    }
  });

  it("refuses weights that are not finite, out of their range, or missing", async () => {
    const { spec, weights } = await trained;
    const file = readSafetensors(readFileSync(weights), "weights");
    if (!file.ok) throw new Error("unreadable");
    const broke = async (
      change: (path: string, data: Float32Array) => Float32Array | null,
    ): Promise<string> => {
      const tensors = new Map(
        [...file.value.tensors].flatMap(([path, t]) => {
          const data = change(path, (t.data as Float32Array).slice());
          return data ? [[path, { ...t, data }]] : [];
        }),
      );
      const bad = join(folder, "bad.safetensors");
      writeFileSync(bad, writeSafetensors(tensors, file.value.metadata));
      const { code, stderr, stdout } = await lipsc("certify", spec, "--weights", bad);
      expect(code).toBe(1);
      expect(stdout).toBe("");
      return stderr;
    };
    const first = (path: string, wanted: string, x: number, data: Float32Array): Float32Array =>
      path.includes(wanted) ? data.fill(x, 0, 1) : data;
    expect(await broke((path, data) => first(path, "conv.weight", NaN, data))).toContain("not finite");
    expect(await broke((path, data) => first(path, "alpha", 1.5, data))).toContain("declared range [0, 1]");
    expect(await broke((path, data) => (path.includes("gamma") ? null : data))).toContain("is missing");
    const nowhere = await lipsc("certify", spec, "--weights", join(folder, "nowhere.safetensors"));
    expect(nowhere.stderr).toContain("LIPS0601");
    expect((await lipsc("certify", spec)).stderr).toContain("LIPS0612");
    const json = await lipsc("certify", spec, "--format", "json");
    expect(certifySchema(JSON.parse(json.stdout))).toEqual([]);
  });
});

describe("lipsc audit", () => {
  it("brackets the true gain of a trained run", async () => {
    const { run } = await trained;
    const args = ["--restarts", "4", "--steps", "12"];
    const text = await lipsc("audit", run, ...args);
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/✓ {2}l2 .*≤ true ≤/);
    const json = JSON.parse((await lipsc("audit", run, ...args, "--format", "json")).stdout) as {
      sound: boolean;
      gains: { norm: string; observed: number; upper: number; ratio: number }[];
      blocks: { block: string; gains: { norm: string; observed: number; upper: number }[] }[];
    };
    expect(auditSchema(json)).toEqual([]);
    expect(json.blocks.map(({ block }) => block)).toEqual([
      "normalize",
      "patch_embed",
      "center_norm",
      "residual",
      "center_norm_2",
      "mean_pool",
      "linear_3",
    ]);
    for (const { gains } of json.blocks) {
      expect(gains.map(({ norm }) => norm)).toEqual(["l2", "token", "linf"]);
      for (const { observed, upper } of gains) {
        expect(observed).toBeGreaterThan(0.01 * upper);
        expect(observed).toBeLessThanOrEqual(upper);
      }
    }
    expect(text.stdout).toMatch(/residual +\d.*×/);
    expect(json.sound).toBe(true);
    expect(json.gains.map(({ norm }) => norm)).toEqual(["l2", "token", "linf"]);
    for (const { observed, upper, ratio } of json.gains) {
      // A trained classifier does move: a search that finds nothing would be no audit.
      expect(observed).toBeGreaterThan(0.1);
      expect(observed).toBeLessThanOrEqual(upper);
      expect(ratio).toBeCloseTo(upper / observed, 9);
    }
  });

  it("says loudly when an observation is above the proof (LIPS0720 bound-broken)", () => {
    const bracket = { from: "image", to: "logits", norm: "l2", observed: 2.5, upper: 2 } as const;
    expect(broken(bracket)?.message).toContain("SOUNDNESS BUG OF LIPSC");
    expect(broken({ ...bracket, upper: 2.5 })).toBe(null);
    // No number is no proof.
    expect(broken({ ...bracket, upper: NaN })).not.toBe(null);
    expect(auditText([bracket], [], 1, painter(false))).toMatch(/✗ +l2 +2\.500 +> !/);
  });

  it("takes one input of several at a time", async () => {
    const spec = join(folder, "two.lips");
    writeFileSync(
      spec,
      "lips 1\nmodel T {\n  input x: [2] in [-1, 1]\n  input u: [2] in [-1, 1]\n  output y = (x |> Linear(2, bias: false)) + (u |> Scale(2))\n}\n",
    );
    const weights = join(folder, "two.safetensors");
    const data = Float32Array.of(3, 0, 0, 1);
    writeFileSync(
      weights,
      writeSafetensors(new Map([["linear.weight", { dtype: "F32" as const, shape: [2, 2], data }]])),
    );
    const args = [
      "--format",
      "json",
      "--engine",
      "reference",
      "--restarts",
      "4",
      "--steps",
      "30",
      "--no-blocks",
    ];
    const { stdout, code } = await lipsc("audit", spec, "--weights", weights, ...args);
    expect(code).toBe(0);
    expect(auditSchema(JSON.parse(stdout))).toEqual([]);
    const { gains, blocks } = JSON.parse(stdout) as {
      gains: { from: string; norm: string; observed: number; upper: number }[];
      blocks: unknown[];
    };
    expect(blocks).toEqual([]);
    expect(gains.map(({ from }) => from)).toEqual(["x", "x", "x", "u", "u", "u"]);
    const l2 = gains.filter(({ norm }) => norm === "l2");
    expect(l2[0].observed).toBeCloseTo(3, 1);
    expect(l2[1].observed).toBeCloseTo(2, 1);
    for (const { observed, upper } of gains) expect(observed).toBeLessThanOrEqual(upper);
  });

  it("finds the gain of a linear map whose norm is known", async () => {
    const spec = join(folder, "linear.lips");
    writeFileSync(
      spec,
      "lips 1\nmodel L {\n  input x: [3] in [-1, 1]\n  weights { init: zeros }\n  output y = x |> Linear(3)\n}\n",
    );
    const weights = join(folder, "linear.safetensors");
    const data = Float32Array.of(3, 0, 0, 0, 1, 0, 0, 0, -2);
    writeFileSync(
      weights,
      writeSafetensors(
        new Map([
          ["linear.weight", { dtype: "F32" as const, shape: [3, 3], data }],
          ["linear.bias", { dtype: "F32" as const, shape: [3], data: new Float32Array(3) }],
        ]),
      ),
    );
    const audit = ["audit", spec, "--weights", weights, "--format", "json", "--engine", "reference"];
    const { stdout } = await lipsc(...audit, "--restarts", "4", "--steps", "60");
    const { gains } = JSON.parse(stdout) as { gains: { observed: number; upper: number }[] };
    for (const { observed, upper } of gains) {
      expect(upper).toBeGreaterThanOrEqual(3);
      expect(upper).toBeLessThan(3.001);
      expect(observed).toBeGreaterThan(2.9);
      expect(observed).toBeLessThanOrEqual(3);
    }
  });
});

it("untrained weights: the checkpoint's bound is at most that of the initialiser", () => {
  for (const path of [fixture, "specs/quick-start.lips"]) {
    const [model] = elaborateAt(path).models;
    const measured = measure(initialise(model, 1));
    const gains = [new Analysis(model, "checkpoint", measured), new Analysis(model, "init")].map((analysis) =>
      analysis.from(model.inputs[0].value).gain(model.outputs[0].value),
    );
    for (const p of norms)
      for (const q of norms)
        expect(entry(gains[0], p, q)).toBeLessThanOrEqual(entry(gains[1], p, q) * (1 + 1e-6));
  }
});
