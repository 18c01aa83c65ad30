/** Mutations: the same analysis with one layer's rule lowered, which a good test must notice. */
import type { LayerTable } from "../../src/gain/analyze.ts";
import type { Gain } from "../../src/gain/gain.ts";
import { layers } from "../../src/layers/registry.ts";

/** One part in a million. */
export const lowering = 1 - 1e-6;

/** All layers, with every gain that `name`'s rule gives multiplied by `factor`. */
export function mutant(name: string, factor = lowering): LayerTable {
  const layer = layers.get(name);
  if (!layer) throw new Error(`there is no layer ${name}`);
  const { rules } = layer;
  if ("none" in rules) throw new Error(`${name} has no rule to lower`);
  const lower = (gain: Gain): Gain => ({ ...gain, entries: gain.entries.map((x) => x * factor) });
  const lowered = {
    ...layer,
    rules: {
      ...rules,
      gain: (...args: Parameters<typeof rules.gain>) =>
        rules.gain(...args).map((ruled) => ({ ...ruled, gain: lower(ruled.gain) })),
    },
  };
  return new Map([...layers, [name, lowered]]);
}
