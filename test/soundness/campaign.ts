/** The campaign: random models, attacked until the time or the count is up; counterexamples are shrunk. */
import { layers as builtIn } from "../../src/layers/registry.ts";
import { violations as illegal } from "../../src/model/legality.ts";
import type { Model, Phase, Shape } from "../../src/model/model.ts";
import { elaborate } from "../elaborate/host.ts";
import { seeded } from "../rig/matrix.ts";
import { attack, type Attack, type AttackOptions, type Tightness, type Violation } from "./attack.ts";
import { Dice } from "./dice.ts";
import { generate } from "./generate/generate.ts";
import { notExecutable } from "./part.ts";
import { render, type Program } from "./program.ts";
import { shrink } from "./shrink.ts";
import { analysisOf } from "./witness.ts";

export interface CampaignOptions extends AttackOptions {
  readonly seed: number;
  /** Stops after this many models or seconds, whichever is first. */
  readonly models?: number;
  readonly seconds?: number;
  /** Only models with this layer. */
  readonly only?: string;
  /** Stops at the first counterexample. */
  readonly first?: boolean;
  /** Called every ten minutes, and when a counterexample is found and made small. */
  readonly tell?: (report: Report) => void;
}

export interface Counterexample {
  readonly seed: number;
  readonly source: string;
  readonly violation: Violation;
}

export interface Report {
  readonly models: number;
  readonly searches: number;
  readonly ranges: number;
  readonly claims: number;
  readonly doubtful: number;
  /** The largest attained/bound. */
  readonly ratio: number;
  /** How often each layer and each constraint was in an attacked model. */
  readonly layers: ReadonlyMap<string, number>;
  readonly constraints: ReadonlyMap<string, number>;
  readonly rules: ReadonlyMap<string, Tightness>;
  readonly counterexamples: readonly Counterexample[];
  readonly seconds: number;
  /** Of the processor: what the time was worth on a busy machine. */
  readonly processorSeconds: number;
}

/** Layers that can't be attacked because they can't be computed, with the reason. */
export const unattacked: ReadonlyMap<string, string> = new Map(
  [...builtIn.values()].flatMap(({ name, lower }) => ("none" in lower ? [[name, lower.none] as const] : [])),
);

/** The only model of a source, null where it has mistakes. */
function modelOf(source: string): Model | null {
  const { models, diagnostics } = elaborate(source);
  return diagnostics.hasErrors || models.length !== 1 ? null : models[0];
}

/** Shapes that the last line of a program gives; null where it can't be computed. */
function lastShapes(program: Program): readonly Shape[] | null {
  const names = program.lines.at(-1)?.names ?? [program.result];
  const model = modelOf(render(program));
  if (!model || notExecutable(model).size > 0) return null;
  const shapes = names.map((name) => {
    const value = model.taps.find((tap) => tap.name === name)?.value ?? model.outputs[0].value;
    return model.values[value].shape;
  });
  return names.length > 1 ? names.map(() => shapes[0]) : shapes;
}

const allPhases: readonly Phase[] = ["init", "always", "checkpoint"];

/** Attacks a source in every phase; everything random comes from the seed. */
export function attackSource(
  source: string,
  seed: number,
  options: AttackOptions,
  draws = 1,
): { model: Model; attacks: Attack[] } | null {
  const model = modelOf(source);
  if (!model || notExecutable(model).size > 0) return null;
  const wrong = illegal(model);
  if (wrong.length > 0) throw new Error(`an illegal model:\n${source}\n${wrong.join("\n")}`);
  const dice = new Dice(seeded(seed));
  const attacks = (options.phases ?? allPhases).flatMap((phase) => {
    const analysis = phase === "checkpoint" ? null : analysisOf(model, phase, [], options.rules);
    return Array.from({ length: draws }, () => attack(source, model, phase, analysis, dice, options));
  });
  return { model, attacks };
}

/** Whether a model has a node of this layer: the source may not name it (`+` is Add). */
function reads(program: Program, layer: string): boolean {
  const has = (nodes: Model["nodes"]): boolean =>
    nodes.some((node) => node.layer === layer || (node.body && has(node.body.nodes)));
  const model = modelOf(render(program));
  return model !== null && has(model.nodes);
}

/** Random models without end, with the seed that each comes from. */
export function* modelsFrom(
  seed: number,
): Iterable<{ readonly source: string; readonly model: Model; readonly seed: number }> {
  for (let i = 0; ; i++) {
    const own = (seed * 1_000_003 + i * 7919) >>> 0;
    const source = render(generate(new Dice(seeded(own)), lastShapes));
    const model = modelOf(source);
    if (model) yield { source, model, seed: own };
  }
}

export function campaign(options: CampaignOptions): Report {
  const before = process.cpuUsage();
  const started = Date.now();
  const elapsed = (): number => (Date.now() - started) / 1000;
  const [layers, constraints] = [new Map<string, number>(), new Map<string, number>()];
  const rules = new Map<string, Tightness>();
  const counterexamples: Counterexample[] = [];
  const sums = { models: 0, searches: 0, ranges: 0, claims: 0, doubtful: 0, ratio: 0 };
  const report = (): Report => ({
    ...sums,
    layers,
    constraints,
    rules,
    counterexamples,
    seconds: elapsed(),
    processorSeconds: process.cpuUsage(before).user / 1e6,
  });
  let told = 0;
  const going = (): boolean =>
    sums.models < (options.models ?? Infinity) && elapsed() < (options.seconds ?? Infinity);
  for (let i = 0; going(); i++) {
    const known = counterexamples.length;
    const seed = (options.seed * 1_000_003 + i * 7919) >>> 0;
    const program = generate(new Dice(seeded(seed)), lastShapes);
    if (options.only !== undefined && !reads(program, options.only)) continue;
    const attacked = attackSource(render(program), seed, options);
    if (!attacked) continue;
    sums.models++;
    count(layers, namesOf(attacked.model.nodes));
    count(constraints, constrained(attacked.model));
    for (const found of attacked.attacks) {
      sums.searches += found.searches;
      sums.ranges += found.ranges;
      sums.claims += found.claims;
      sums.doubtful += found.doubtful;
      if (found.violations.length === 0) {
        sums.ratio = Math.max(sums.ratio, found.ratio);
        join(rules, found.rules);
        continue;
      }
      const { program: least, violation } = shrink(program, found.violations[0], seed, options);
      counterexamples.push({ seed, source: render(least), violation });
      break;
    }
    if (options.first && counterexamples.length > 0) break;
    if (!options.tell || (elapsed() - told < 600 && counterexamples.length === known)) continue;
    told = elapsed();
    options.tell(report());
  }
  return report();
}

/** Constraints of the weights that a policy speaks of. */
function constrained(model: Model): string[] {
  const roles = ["matrix", "kernel", "depthwise", "table"];
  return model.weights.flatMap((w) => (roles.includes(w.role) ? [w.constraint.kind] : []));
}

function namesOf(nodes: Model["nodes"]): string[] {
  return nodes.flatMap((node) => [node.layer, ...(node.body ? namesOf(node.body.nodes) : [])]);
}

/** Once for each model. */
function count(into: Map<string, number>, names: readonly string[]): void {
  for (const name of new Set(names)) into.set(name, (into.get(name) ?? 0) + 1);
}

function join(into: Map<string, Tightness>, more: ReadonlyMap<string, Tightness>): void {
  for (const [rule, { ratio, searches }] of more) {
    const known = into.get(rule) ?? { ratio: 0, searches: 0 };
    into.set(rule, { ratio: Math.max(known.ratio, ratio), searches: known.searches + searches });
  }
}
