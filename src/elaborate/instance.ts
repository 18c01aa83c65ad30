/**
 * Instances: one application of a block (or the model itself). They carry names for weights and the weights policy.
 *
 * A weight's path is the path of its node plus the weight's own name. A node is named, within the body that applies
 * it, by the `let` or parameter that holds the layer, else by the layer in snake case; then `_2` for a second place of
 * use in that body; then the rounds of the loops around: `lips_block.2.0.attention.linear_2.weight`.
 * A layer given to a block belongs to that block under the parameter's name. Blocks of one stage (`x |> Residual(f)`)
 * pass the layers that they are given through: those keep the names of the body around (docs/language.md, "Names of weights").
 */
import type { Constraint, Init } from "../model/model.ts";
import type { Block, Expr } from "../syntax/ast.ts";
import type { LearnedVal } from "./values.ts";
import { snakeCase } from "./words.ts";

export interface Policy {
  readonly init?: Init;
  readonly constraint?: Constraint;
  readonly bias?: boolean;
  /** The scales of norms. */
  readonly gamma?: LearnedVal;
}

export interface Instance {
  /** Around it in the tree of applications; the policy is inherited along it. */
  readonly parent: Instance | null;
  /** "" for the model. */
  readonly path: string;
  policy: Policy;
  /** A layer has been applied in it, so a policy would come too late. */
  used: boolean;
  /** Rounds of the loops that are running in its body. */
  readonly rounds: number[];
  /** Places of use by base name, in the order in which they were met. */
  readonly places: Map<string, string[]>;
}

export function newInstance(parent: Instance | null, path: string): Instance {
  return { parent, path, policy: {}, used: false, rounds: [], places: new Map() };
}

/** The path of a use of `label` at `place` in this instance's body. `taken` keeps all paths of the model apart. */
export function pathIn(home: Instance, label: string, place: string, taken: Set<string>): string {
  let places = home.places.get(label);
  if (!places) home.places.set(label, (places = []));
  let index = places.indexOf(place);
  if (index < 0) index = places.push(place) - 1;
  const rounds = home.rounds.length === 0 ? "" : `.${home.rounds.join(".")}`;
  const start = `${home.path === "" ? "" : `${home.path}.`}${label}`;
  for (let use = index + 1; ; use++) {
    const path = `${start}${use === 1 ? "" : `_${use}`}${rounds}`;
    if (!taken.has(path)) {
      taken.add(path);
      return path;
    }
  }
}

export function baseName(name: string): string {
  return snakeCase(name);
}

/** The nearest policy that says something, from this instance outwards. */
export function policyOf<K extends keyof Policy>(instance: Instance | null, key: K): Policy[K] | undefined {
  for (let at = instance; at; at = at.parent) {
    const value = at.policy[key];
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Whether a block is one stage applied to one of its tensors: such a block passes given layers through. */
export function isOneStage(block: Block): boolean {
  const rest = block.body.statements.filter((s) => s.kind !== "certify" && s.kind !== "weights");
  if (rest.length !== 1 || rest[0].kind !== "value") return false;
  const value = rest[0].value;
  return value.kind === "pipe" ? value.left.kind === "name" && isCall(value.right) : isCall(value);
}

function isCall(e: Expr): boolean {
  return e.kind === "name" || (e.kind === "call" && e.callee.kind === "name");
}
