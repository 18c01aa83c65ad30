/** Whether the model is one: every node is a layer that the rules know, with the shapes and weights that it must have. */
import type { ModelDocument } from "./document.ts";
import { Refusal } from "./refusal.ts";
import { equal, type Coefficient, type Json, type Node, type Site } from "./rules/rule.ts";
import type { Weight } from "./rules/facts.ts";
import type { Shape } from "./rules/gains.ts";
import { ruleOf } from "./rules/table.ts";
import type { Graph } from "./rules/structure.ts";

export interface CheckedGraph extends Graph {
  /** Values of the model's own graph, not of a body. */
  readonly own: ReadonlySet<number>;
  /** The node in whose body a value lives. */
  home(value: number): Node | null;
}

export function checkGraph(model: ModelDocument): CheckedGraph {
  const { values, weights, inputs, nodes } = model;
  const defined = new Set<number>();
  const homes = new Map<number, Node>();
  const producers = new Map<number, Node>();
  const define = (value: number, where: string, home: Node | null): void => {
    if (value >= values.length) throw new Refusal(where, `there is no value ${value}`);
    if (defined.has(value)) throw new Refusal(where, `value ${value} is made twice`);
    defined.add(value);
    if (home) homes.set(value, home);
  };
  const within: Node[] = [];
  const visit = (node: Node, home: Node | null): void => {
    const seen = (value: number): boolean => {
      const its = homes.get(value);
      return defined.has(value) && (its === undefined || within.includes(its));
    };
    const unknown = node.inputs.find((value) => !seen(value));
    if (unknown !== undefined) throw new Refusal(node.path, `it can't read value ${unknown}`);
    if (node.body) {
      for (const value of node.body.parameters) define(value, node.path, node);
      within.push(node);
      for (const inner of node.body.nodes) visit(inner, node);
      within.pop();
      if (!defined.has(node.body.result)) throw new Refusal(node.path, "the result of its body is not made");
    }
    for (const value of node.outputs) define(value, node.path, home);
    checkNode(node, values, weights);
  };
  inputs.forEach(({ name, value, domain }) => {
    define(value, `input ${name}`, null);
    const empty =
      (domain.kind === "box" && domain.low > domain.high) || (domain.kind === "ball" && domain.radius < 0);
    if (empty) throw new Refusal(`input ${name}`, "its domain is empty");
  });
  for (const named of [inputs, model.outputs]) {
    if (new Set(named.map(({ name }) => name)).size < named.length)
      throw new Refusal("model", "two inputs or two outputs have one name");
  }
  // A weights file has one tensor of a name.
  const paths = new Set<string>();
  for (const { path } of weights) {
    if (paths.has(path)) throw new Refusal(path, "two weights have this name");
    paths.add(path);
  }
  // Counts of entries are float64, exact up to 2⁵³.
  const large = [...values, ...weights.map(({ shape }) => shape)].find(
    (shape) => !Number.isSafeInteger(shape.reduce((n, size) => n * size, 1)),
  );
  if (large) throw new Refusal("model", `the shape ${show(large)} has too many entries`);
  weights.forEach((weight) => checkWeight(weight));
  for (const node of nodes) {
    visit(node, null);
    for (const value of node.outputs) producers.set(value, node);
  }
  const stray = values.findIndex((_, value) => !defined.has(value));
  if (stray >= 0) throw new Refusal(`model.values[${stray}]`, "nothing makes this value");
  const own = new Set([...defined].filter((value) => !homes.has(value)));
  const lost = model.outputs.find(({ value }) => !own.has(value));
  if (lost) throw new Refusal(`output ${lost.name}`, "it is no value of the model's own graph");
  return {
    nodes,
    own,
    shape: (value) => values[value],
    producer: (value) => producers.get(value) ?? null,
    home: (value) => homes.get(value) ?? null,
  };
}

function checkWeight({ path, shape, init, constraint, range }: Weight): void {
  const count = shape.reduce((n, size) => n * size, 1);
  if (init.kind === "constant" && init.values.length !== 1 && init.values.length !== count)
    throw new Refusal(path, `it starts at ${init.values.length} numbers, but has ${count} entries`);
  if ("std" in init && !(init.std >= 0)) throw new Refusal(path, "its start has a negative deviation");
  if ("bound" in constraint && !(constraint.bound >= 0))
    throw new Refusal(path, "its constraint is negative");
  // A range and a norm together: which of the two comes last would matter.
  if (range && constraint.kind !== "none") throw new Refusal(path, "it has a range and a constraint");
}

function checkNode(node: Node, values: readonly Shape[], weights: readonly Weight[]): void {
  const { layer, path, config } = node;
  const rule = ruleOf(layer);
  if (!rule) throw new Refusal(path, `there is no rule for the layer ${layer}`);
  const refuse = (text: string): never => {
    throw new Refusal(path, text, { rule: layer });
  };
  const count = rule.inputs ?? 1;
  if (count === "any" ? node.inputs.length < 1 : node.inputs.length !== count)
    refuse(`${layer} reads ${count} values, this node ${node.inputs.length}`);
  if ((node.body !== null) !== (rule.body === true))
    refuse("a body where there is none, or none where one is");
  const named = (name: string): Weight => {
    if (!Object.hasOwn(node.weights, name)) refuse(`it has no weight ${name}`);
    return weights[node.weights[name]];
  };
  const lost = Object.values(node.weights).find((id) => id >= weights.length);
  if (lost !== undefined) refuse(`there is no weight ${lost}`);
  const site: Site = {
    node,
    config,
    shapes: node.inputs.map((value) => values[value]),
    weight: named,
    weightOf: (c: Coefficient) => weights[c.kind === "learned" ? c.weight : -1],
    shapeOf: (value) => values[value],
  };
  const checks = Object.entries(rule.config);
  const stray = Object.keys(config).find((key) => !Object.hasOwn(rule.config, key));
  if (stray !== undefined) refuse(`${layer} has no \`${stray}\``);
  for (const [key, check] of checks) {
    if (!Object.hasOwn(config, key) || !check(config[key], site))
      refuse(`\`${key}\` of ${layer} can't be ${JSON.stringify(config[key] ?? null).slice(0, 60)}`);
  }
  const outputs = rule.shapes(site);
  if (!outputs) return refuse(`${layer} doesn't take ${site.shapes.map(show).join(", ")} so`);
  if (outputs.length !== node.outputs.length || outputs.some((s, i) => !equal(s, values[node.outputs[i]])))
    refuse(
      `${layer} gives ${outputs.map(show).join(", ")}, stated is ${node.outputs.map((v) => show(values[v])).join(", ")}`,
    );
  const expected = rule.weights?.(site) ?? {};
  for (const [name, shape] of Object.entries(expected)) {
    if (!equal(named(name).shape, shape))
      refuse(`${name} must be ${show(shape)}, stated is ${show(named(name).shape)}`);
  }
  const read = new Set(coefficientsIn(config));
  const unread = Object.keys(node.weights).find(
    (name) => !Object.hasOwn(expected, name) && !read.has(node.weights[name]),
  );
  if (unread !== undefined) refuse(`${layer} has no weight ${unread}`);
}

function coefficientsIn(x: Json): number[] {
  if (typeof x !== "object" || x === null) return [];
  const { kind, weight } = x as { kind?: Json; weight?: Json };
  if (kind === "learned" && typeof weight === "number") return [weight];
  return Object.values(x).flatMap((inner) => coefficientsIn(inner as Json));
}

const show = (shape: Shape): string => `[${shape.join(", ")}]`;
