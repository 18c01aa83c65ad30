/** Constrained weights written out: the same network without its constraints, whose bound is proven from its own bytes. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/runtime/safetensors.ts";
import { lipsc } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lipsc-write-out-"));
const spec = join(folder, "spec.lips");
const text = `lips 1
model Small(slope: real = 1) {
  input image: [28, 28, 1] in [0, 1]
  weights { init: orthogonal, constraint: orthogonal }
  output logits = image |> Flatten |> Linear(16) |> MaxMin |> Linear(12) |> MaxMin |> Scale(slope) |> Linear(10, constraint: unit_rows)
  certify always: margin(image -> logits) <= 2
  certify at checkpoint: margin(image -> logits) <= 1.9
}
train Small {
  data: fashion_mnist
  loss: margin(offset: 1, temperature: 0.3)
  optimizer: muon(lr: 0.05)
  epochs: 1
  batch: 500
}
`;

const made = (async () => {
  writeFileSync(spec, text);
  const [run, plain] = [join(folder, "run"), join(folder, "plain")];
  for (const args of [
    ["train", spec, "--out", run],
    ["write-out", run, "--out", plain],
  ]) {
    const done = await lipsc(...args);
    if (done.code !== 0) throw new Error(done.stderr);
  }
  return { run, plain, weights: join(plain, "model.safetensors") };
})();

interface Certify {
  readonly weights: { readonly writtenOut: boolean };
  readonly model: {
    readonly bounds: readonly { phase: string; normIn: string; normOut: string; upper: number }[];
    readonly claims: readonly { text: string; proven: boolean }[];
  };
}

async function certified(path: string): Promise<{ document: Certify; l2: number }> {
  const { stdout } = await lipsc("certify", path, "--format", "json");
  const document = JSON.parse(stdout) as Certify;
  const found = document.model.bounds.find(
    ({ phase, normIn, normOut }) => phase === "checkpoint" && normIn === "l2" && normOut === "l2",
  );
  return { document, l2: found?.upper ?? NaN };
}

describe("lipsc write-out", () => {
  it("keeps the network: same bound within the rounding of its weights, same certified samples", async () => {
    const { run, plain } = await made;
    const [before, after] = [await certified(run), await certified(plain)];
    expect(before.document.weights.writtenOut).toBe(false);
    expect(after.document.weights.writtenOut).toBe(true);
    expect(Math.abs(after.l2 / before.l2 - 1)).toBeLessThan(1e-6);
    expect(after.document.model.claims).toHaveLength(1);
    const evaluate = [
      "--certify",
      "--eps",
      "0.25,1",
      "--samples",
      "200",
      "--attack",
      "none",
      "--format",
      "json",
    ];
    const [a, b] = await Promise.all([run, plain].map((path) => lipsc("eval", path, ...evaluate)));
    const rows = (stdout: string): unknown[] => (JSON.parse(stdout) as { rows: unknown[] }).rows;
    expect(rows(a.stdout)).toHaveLength(2);
    expect(rows(b.stdout)).toEqual(rows(a.stdout));
  });

  it("is proven from its bytes, where a certificate of the run states only what constraints guarantee", async () => {
    const { run, plain, weights } = await made;
    const [loose, tight] = [join(folder, "run.json"), join(folder, "plain.json")];
    const told = await lipsc("certify", run, "--certificate", loose);
    expect(told.stdout).toContain("`lipsc write-out RUN`");
    expect((await lipsc("certify", plain, "--certificate", tight)).stdout).not.toContain("it shows");
    const verified = await lipsc("verify", tight, "--weights", weights, "--spec", spec);
    expect(verified.stdout).toContain("what the spec's constraints made of weights: they stand without them");
    expect(verified.code).toBe(0);
    // It prints seven digits.
    const bound = /‖Δlogits‖₂ ≤ ([\d.]+)/.exec(verified.stdout)?.[1];
    expect(Math.abs(Number(bound) / (await certified(run)).l2 - 1)).toBeLessThan(3e-6);

    // One weight 1 % larger: other bytes, and norms that don't follow from them.
    const file = readSafetensors(readFileSync(weights), weights);
    if (!file.ok) throw new Error("unreadable");
    const tensors = new Map(file.value.tensors);
    const first = tensors.get("linear.weight");
    if (!first) throw new Error([...tensors.keys()].join());
    tensors.set("linear.weight", { ...first, data: (first.data as Float32Array).map((x) => x * 1.01) });
    const changed = join(folder, "changed.safetensors");
    writeFileSync(changed, writeSafetensors(tensors, file.value.metadata));
    expect((await lipsc("verify", tight, "--weights", changed)).code).toBe(1);
  });

  it("is built as plain layers with its weights", async () => {
    const { run, plain } = await made;
    for (const [path, constrained] of [
      [run, true],
      [plain, false],
    ] as const) {
      const out = `${path}-built`;
      expect((await lipsc("build", path, "--target", "pytorch", "--out", out)).code).toBe(0);
      expect(/parametri[sz]/i.test(readFileSync(join(out, "model.py"), "utf8"))).toBe(constrained);
      const weights = readFileSync(join(out, "initial.safetensors"));
      expect(weights).toEqual(readFileSync(join(path, "model.safetensors")));
    }
  });

  it("says what it can't do", async () => {
    const { run, plain } = await made;
    const cases = [
      [["write-out", plain, "--out", join(folder, "x")], "there is nothing to write out"],
      [["write-out", spec, "--out", join(folder, "x")], "is a spec"],
      [["write-out", run, "--out", plain], "holds a run"],
      [["train", "--resume", plain], "go on with that one"],
    ] as const;
    for (const [args, words] of cases) {
      const { code, stderr } = await lipsc(...args);
      expect(stderr).toContain(words);
      expect(code).not.toBe(0);
    }
  });
});

describe("--set on a run", () => {
  it("is about the changed model with the run's weights, and says so (LIPS0623 changed-model)", async () => {
    const { run, plain } = await made;
    const json = ["--format", "json"];
    const eps = ["--certify", "--eps", "0.25", "--samples", "100", "--attack", "none"];
    const [evaluated, bound, twice, same] = await Promise.all([
      lipsc("eval", run, ...eps, ...json, "--set", "slope=2"),
      certified(run),
      lipsc("certify", plain, ...json, "--set", "slope=2"),
      lipsc("certify", run, "--set", "nothing=2"),
    ]);
    expect(evaluated.stderr).toContain("LIPS0623");
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ sound: true, weights: { changes: ["slope=2"] } });
    const document = JSON.parse(twice.stdout) as Certify & { diagnostics: readonly { code: string }[] };
    const upper = document.model.bounds.find(
      ({ phase, normIn, normOut }) => phase === "checkpoint" && normIn === "l2" && normOut === "l2",
    )?.upper;
    expect(Math.abs((upper ?? NaN) / (2 * bound.l2) - 1)).toBeLessThan(1e-6);
    expect(document.diagnostics.map(({ code }) => code)).toContain("LIPS0623");
    expect(same.code).toBe(1);
  });
});
