/** Runs by the recipes for certified accuracy: what they learn, what their checkpoints hold, and that they can be resumed. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { valueOf } from "../onnx/support.ts";
import { readSafetensors } from "../../src/runtime/safetensors.ts";
import { lipsc, metricsOf, start, stepReached, until } from "./run.ts";

const spec = "test/fixtures/certified-recipes.lips";
const fresh = (): string => join(mkdtempSync(join(tmpdir(), "lipsc-recipes-")), "run");
const bytes = (folder: string, name: string): Buffer => readFileSync(join(folder, name));
const train = (model: string, folder: string, ...more: readonly string[]): string[] => [
  ...["train", spec, "--model", model, "--out", folder],
  ...more,
];

describe("Muon and a margin loss", () => {
  it("learn; killed and resumed, the run ends bit for bit like the one that wasn't", async () => {
    const whole = fresh();
    expect(await lipsc(...train("Margin", whole))).toMatchObject({ code: 0, stderr: "" });
    const epochs = metricsOf(whole).filter((m) => (m as { kind: string }).kind === "epoch");
    // Chance is 0.1.
    expect((epochs[1] as { testAccuracy: number }).testAccuracy).toBeGreaterThan(0.6);

    const killed = fresh();
    const { child, finished } = start(train("Margin", killed, "--checkpoint-every", "7"));
    await until(child, () => stepReached(killed) >= 20);
    child.kill("SIGKILL");
    expect((await finished).code).toBe(null);
    expect(existsSync(join(killed, "model.safetensors"))).toBe(false);
    expect(await lipsc("train", "--resume", killed)).toMatchObject({ code: 0, stderr: "" });
    expect(bytes(killed, "model.safetensors").equals(bytes(whole, "model.safetensors"))).toBe(true);
    expect(metricsOf(killed)).toEqual(metricsOf(whole));
  });
});

it("a checkpoint holds the state of each weight's own rule", async () => {
  const folder = fresh();
  expect((await lipsc(...train("Hinge", folder, "--epochs", "1"))).code).toBe(0);
  const { tensors } = valueOf(readSafetensors(bytes(folder, "checkpoint.safetensors"), "checkpoint"));
  const state = [...tensors.keys()].filter((name) => name.startsWith("optimizer/"));
  expect(state.sort()).toEqual(
    [
      ...["linear.0.weight", "linear.1.weight"].map((path) => `optimizer/m/${path}`),
      ...["linear.0.bias", "linear.1.bias", "linear_2.weight", "linear_2.bias"].flatMap((path) => [
        `optimizer/m/${path}`,
        `optimizer/v/${path}`,
      ]),
    ].sort(),
  );
});

it("EMMA on a model without a proven gain is refused, with the reason and a way out", async () => {
  const loss = ["--set", "train.loss=emma(eps: 1)"];
  const refused = await lipsc("train", "test/fixtures/tiny-fashion.lips", "--out", fresh(), ...loss);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("`emma`");
  expect(refused.stderr).toContain("may reach any norm in training");
  expect(refused.stderr).toContain("margin(…)");
});
