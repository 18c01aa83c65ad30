/** `inference { longest_sum: }`: how the trained model is computed, in the model's own body. */
import type { Inference } from "../syntax/ast.ts";
import { evaluate } from "./expression.ts";
import { report, type Frame } from "./frame.ts";
import { toNumber } from "./rational.ts";
import { coerce, type TypeRef } from "./types.ts";

const entries: Record<string, TypeRef> = { longest_sum: { name: "int", list: false } };

/** A sum of one term adds nothing up. */
const least = 2;

export function applyInference(frame: Frame, statement: Inference): void {
  for (const { key, value: e } of statement.entries) {
    const type = Object.hasOwn(entries, key.text) ? entries[key.text] : undefined;
    const found = evaluate(frame, e, type, type === undefined);
    if (!type) {
      if (key.text !== "")
        report(frame, "unknown-entry", key.span, {
          where: "inference",
          key: key.text,
          known: Object.keys(entries),
        });
      continue;
    }
    const value = coerce(frame, found, type, key.text, e.span);
    if (value.kind === "learned")
      report(frame, "argument-type", e.span, {
        argument: key.text,
        expected: "a whole number",
        found: "a learned number",
      });
    if (value.kind !== "number" || !frame.model) continue;
    const longestSum = toNumber(value.low);
    if (longestSum < least) {
      const allowed = `at least ${least}`;
      const help = "as many terms as one product may add up: 32 makes 25 products of a sum of 784";
      report(
        frame,
        "out-of-range",
        e.span,
        { argument: key.text, found: String(longestSum), allowed },
        { help },
      );
    } else if (frame.model.inference)
      report(frame, "declared-twice", key.span, { name: key.text }, { help: "a model says it once" });
    else frame.model.inference = { longestSum };
  }
}
