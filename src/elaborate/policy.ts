/** `weights { init:, constraint:, bias:, gamma: }`: what holds for every weight of an instance that doesn't say otherwise. */
import type { Weights } from "../syntax/ast.ts";
import { evaluate } from "./expression.ts";
import { report, type Frame } from "./frame.ts";
import type { Policy } from "./instance.ts";
import { constraintOf, initOf } from "./options.ts";
import { coerce, type TypeRef } from "./types.ts";

const entries: Record<string, TypeRef> = {
  init: { name: "Init", list: false },
  constraint: { name: "Constraint", list: false },
  bias: { name: "bool", list: false },
  gamma: { name: "Coefficient", list: false },
};

export function applyPolicy(frame: Frame, statement: Weights): void {
  if (frame.instance.used) {
    report(frame, "weights-late", statement.span, {});
    return;
  }
  let policy: Policy = { ...frame.instance.policy };
  for (const { key, value: e } of statement.entries) {
    const type = entries[key.text];
    if (!Object.hasOwn(entries, key.text)) {
      evaluate(frame, e, undefined, true);
      if (key.text !== "")
        report(frame, "unknown-entry", key.span, {
          where: "weights",
          key: key.text,
          known: Object.keys(entries),
        });
      continue;
    }
    const value = coerce(frame, evaluate(frame, e, type), type, key.text, e.span);
    if (value.kind === "boolean") policy = { ...policy, bias: value.value };
    if (value.kind === "learned") policy = { ...policy, gamma: { ...value, shared: null } };
    if (value.kind === "number")
      report(frame, "argument-type", e.span, {
        argument: key.text,
        expected: "learned(…)",
        found: "a number",
      });
    if (value.kind !== "option") continue;
    if (key.text === "init") {
      const init = initOf(frame, value);
      if (init) policy = { ...policy, init };
    } else {
      const constraint = constraintOf(frame, value);
      if (constraint) policy = { ...policy, constraint };
    }
  }
  frame.instance.policy = policy;
}
