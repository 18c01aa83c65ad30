/** The campaign: random models, attacked until the time or the count is up; counterexamples are shrunk. */
import { Analysis } from "../../src/gain/analyze.ts";
import { measure, type Tensors } from "../../src/measure/measure.ts";
import { violations as illegal } from "../../src/model/legality.ts";
import type { Model, Phase, Shape } from "../../src/model/model.ts";
import { elaborate } from "../elaborate/host.ts";
import { seeded } from "../rig/matrix.ts";
import { attack, type Attack, type AttackOptions, type Violation } from "./attack.ts";
import { Dice, generate } from "./generate.ts";
import { render, simpler, type Program } from "./program.ts";

export interface CampaignOptions extends AttackOptions {
  readonly seed: number;
  /** Stops after this many models or seconds, whichever is first. */
  readonly models?: number;
  readonly seconds?: number;
  /** Only models with this layer. */
  readonly only?: string;
  /** Stops at the first counterexample. */
  readonly first?: boolean;
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
  readonly tightest: number;
  /** How often each layer was in an attacked model. */
  readonly layers: ReadonlyMap<string, number>;
  readonly counterexamples: readonly Counterexample[];
  readonly seconds: number;
}

/** The only model of a source, null where it has mistakes. */
function modelOf(source: string): Model | null {
  const { models, diagnostics } = elaborate(source);
  return diagnostics.hasErrors || models.length !== 1 ? null : models[0];
}

/** Shapes that the last line of a program gives. */
function lastShapes(program: Program): readonly Shape[] | null {
  const names = program.lines.at(-1)?.names ?? [program.result];
  const model = modelOf(render(program));
  if (!model) return null;
  const shapes = names.map((name) => {
    const value = model.taps.find((tap) => tap.name === name)?.value ?? model.outputs[0].value;
    return model.values[value].shape;
  });
  return names.length > 1 ? names.map(() => shapes[0]) : shapes;
}

const phases: readonly Phase[] = ["init", "always", "checkpoint"];

/** Attacks a source in every phase; everything random comes from the seed. */
export function attackSource(
  source: string,
  seed: number,
  options: AttackOptions,
  draws = 1,
): { model: Model; attacks: Attack[] } | null {
  const model = modelOf(source);
  if (!model) return null;
  const wrong = illegal(model);
  if (wrong.length > 0) throw new Error(`an illegal model:\n${source}\n${wrong.join("\n")}`);
  const random = seeded(seed);
  const dice = new Dice(random);
  const attacks = phases.flatMap((phase) => {
    const rules = options.layers ? { layers: options.layers } : {};
    const analysis = phase === "checkpoint" ? null : new Analysis(model, phase, rules);
    const of = (tensors: Tensors): Analysis =>
      analysis ?? new Analysis(model, phase, { ...rules, ...measure(tensors) });
    return Array.from({ length: draws }, () => attack(model, phase, of, dice, random, options));
  });
  return { model, attacks };
}

function violationOf(source: string, seed: number, options: AttackOptions, draws: number): Violation | null {
  return attackSource(source, seed, options, draws)?.attacks.flatMap((a) => a.violations)[0] ?? null;
}

/** Greedy: takes the first simpler program that still breaks a bound, until there is none. */
export function shrink(
  program: Program,
  first: Violation,
  seed: number,
  options: AttackOptions,
): { program: Program; violation: Violation } {
  let [best, violation] = [program, first];
  for (let round = 0; round < 20; round++) {
    let better: Program | null = null;
    for (const candidate of simpler(best)) {
      const found = violationOf(render(candidate), seed, { ...options, hunts: 6 }, 4);
      if (!found) continue;
      [better, violation] = [candidate, found];
      break;
    }
    if (!better) break;
    best = better;
  }
  return { program: best, violation };
}

/** Whether a model has a node of this layer: the source may not name it (`+` is Add). */
function reads(program: Program, layer: string): boolean {
  const has = (nodes: Model["nodes"]): boolean =>
    nodes.some((node) => node.layer === layer || (node.body && has(node.body.nodes)));
  const model = modelOf(render(program));
  return model !== null && has(model.nodes);
}

export function campaign(options: CampaignOptions): Report {
  const started = Date.now();
  const elapsed = (): number => (Date.now() - started) / 1000;
  const layers = new Map<string, number>();
  const counterexamples: Counterexample[] = [];
  let [models, searches, ranges, tightest] = [0, 0, 0, Infinity];
  for (let i = 0; models < (options.models ?? Infinity) && elapsed() < (options.seconds ?? Infinity); i++) {
    const seed = (options.seed * 1_000_003 + i * 7919) >>> 0;
    const program = generate(new Dice(seeded(seed)), lastShapes);
    if (options.only !== undefined && !reads(program, options.only)) continue;
    const attacked = attackSource(render(program), seed, options);
    if (!attacked) continue;
    models++;
    const all = (nodes: Model["nodes"]): void =>
      nodes.forEach((node) => {
        layers.set(node.layer, (layers.get(node.layer) ?? 0) + 1);
        if (node.body) all(node.body.nodes);
      });
    all(attacked.model.nodes);
    for (const { violations, ...figures } of attacked.attacks) {
      searches += figures.searches;
      ranges += figures.rangesChecked;
      tightest = Math.min(tightest, figures.tightest);
      if (violations.length === 0) continue;
      const { program: least, violation } = shrink(program, violations[0], seed, options);
      counterexamples.push({ seed, source: render(least), violation });
      break;
    }
    if (options.first && counterexamples.length > 0) break;
  }
  return { models, searches, ranges, tightest, layers, counterexamples, seconds: elapsed() };
}
