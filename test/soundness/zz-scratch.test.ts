import { test } from "vitest";
import { layers } from "../../src/layers/registry.ts";
import { mutant } from "../rig/mutate.ts";
import { campaign } from "./campaign.ts";
test("t", { timeout: 3e6 }, () => {
  for (const [name, layer] of layers) {
    if ("none" in layer.rules || "none" in layer.lower || name === "Learned" || name === "Embedding") continue;
    const r = campaign({ seed: 5, seconds: 9, hunts: 4, steps: 40, taps: true, layers: mutant(name, 0.9), only: name, first: true });
    console.log(r.counterexamples.length ? "found" : "MISSED", name, r.models, r.searches, r.seconds.toFixed(1), r.tightest.toFixed(3), r.counterexamples[0] && r.counterexamples[0].violation.kind);
  }
});
