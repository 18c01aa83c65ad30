/** Scopes: names of a body, of the bodies around it, of parameters and dimensions. */
import type { Span } from "../text/source.ts";
import type { TypeRef } from "./types.ts";
import type { Val } from "./values.ts";

export interface Binding {
  value: Val;
  readonly span: Span;
  /** How many values it has had; a claim may name it only with one. */
  values: number;
  used: boolean;
  /** From an annotation; new values are read with it too. */
  type?: TypeRef;
  /** Loop variables and parameters are never taps. */
  readonly kind: "let" | "parameter" | "dimension" | "loop" | "input" | "output";
}

export interface Scope {
  readonly parent: Scope | null;
  readonly names: Map<string, Binding>;
  /** The body of a loop, of a branch, or of a block or model. */
  readonly kind: "loop" | "branch" | "body" | "constants";
}

export function newScope(parent: Scope | null, kind: Scope["kind"]): Scope {
  return { parent, names: new Map(), kind };
}

export function find(scope: Scope | null, name: string): Binding | undefined {
  for (let at = scope; at; at = at.parent) {
    const binding = at.names.get(name);
    if (binding) return binding;
  }
  return undefined;
}

export function declare(scope: Scope, name: string, value: Val, span: Span, kind: Binding["kind"]): Binding {
  const binding: Binding = { value, span, values: 1, used: false, kind };
  scope.names.set(name, binding);
  return binding;
}

/** All names that can be seen, innermost first. */
export function visible(scope: Scope | null): string[] {
  const names: string[] = [];
  for (let at = scope; at; at = at.parent) names.push(...at.names.keys());
  return names;
}
