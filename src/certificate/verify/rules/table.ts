/** The rules, layer by layer. A layer that is not here has no rule: nothing follows, and a node of it is refused. */
import { attend } from "./attention.ts";
import { feedbackRules } from "./feedback.ts";
import { linearRules } from "./linear.ts";
import { moveRules } from "./moves.ts";
import { normRules } from "./norms.ts";
import { pointwiseRules } from "./pointwise.ts";
import { residual } from "./residual.ts";
import type { Rule } from "./rule.ts";

const all: { readonly [layer: string]: Rule } = {
  ...linearRules,
  ...moveRules,
  ...pointwiseRules,
  ...normRules,
  ...feedbackRules,
  Attend: attend,
  Residual: residual,
};

export function ruleOf(layer: string): Rule | null {
  return Object.hasOwn(all, layer) ? all[layer] : null;
}

export const layersWithRules: readonly string[] = Object.keys(all);
