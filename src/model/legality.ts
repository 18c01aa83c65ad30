/** What a Model must fulfil, as a table: checked after elaboration in tests, and by any pass that makes a Model. */
import type { Coefficient, Json, Model, Node, ValueId } from "./model.ts";

/** What is checked, and every place where it doesn't hold, in words. */
type Rule = readonly [what: string, violations: (model: Model) => Iterable<string>];

/** All nodes, those of steps too, each after what stands around it. */
export function* allNodes(nodes: readonly Node[]): Iterable<Node> {
  for (const node of nodes) {
    yield node;
    if (node.body) yield* allNodes(node.body.nodes);
  }
}

function* idsOf(model: Model): Iterable<readonly [string, ValueId]> {
  for (const i of model.inputs) yield [`input ${i.name}`, i.value];
  for (const o of model.outputs) yield [`output ${o.name}`, o.value];
  for (const t of model.taps) yield [`tap ${t.name}`, t.value];
  for (const i of model.instances)
    for (const n of i.names) yield [`${n.name} of instance ${i.path}`, n.value];
  for (const c of model.claims)
    yield* [[`claim ${c.text}`, c.from] as const, [`claim ${c.text}`, c.to] as const];
  for (const node of allNodes(model.nodes)) {
    for (const id of [...node.inputs, ...node.outputs]) yield [node.path, id];
    if (node.body)
      for (const id of [...node.body.parameters, node.body.result]) yield [`${node.path} step`, id];
  }
}

function* repeated(what: string, names: Iterable<string>): Iterable<string> {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) yield `${what} ${name} stands twice`;
    seen.add(name);
  }
}

/** Nodes whose inputs are not yet computed where they stand. */
function* early(nodes: readonly Node[], known: Set<ValueId>): Iterable<string> {
  for (const node of nodes) {
    for (const id of node.inputs)
      if (!known.has(id)) yield `${node.path} reads value ${id} before it is computed`;
    if (node.body) {
      // A step sees its own parameters and nothing of what stands around it.
      const inside = new Set(node.body.parameters);
      yield* early(node.body.nodes, inside);
      if (!inside.has(node.body.result))
        yield `${node.path} gives a step's result ${node.body.result} that it doesn't compute`;
    }
    for (const id of node.outputs) known.add(id);
  }
}

function* coefficients(value: Json | undefined): Iterable<Coefficient> {
  if (value === null || typeof value !== "object") return;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) yield* coefficients(item);
    return;
  }
  const object = value as { readonly [key: string]: Json };
  if (object.kind === "learned" && typeof object.weight === "number")
    yield { kind: "learned", weight: object.weight };
  for (const item of Object.values(object)) yield* coefficients(item);
}

function* numbersIn(value: Json): Iterable<number> {
  if (typeof value === "number") yield value;
  else if (value !== null && typeof value === "object")
    for (const item of Object.values(value)) yield* numbersIn(item as Json);
}

export const legality: readonly Rule[] = [
  [
    "shapes are whole numbers of at least 1, with one name or null for each axis",
    function* ({ values }) {
      for (const [id, { shape, axes }] of values.entries()) {
        if (!shape.every((n) => Number.isSafeInteger(n) && n >= 1))
          yield `value ${id} has shape [${shape.join(", ")}]`;
        if (axes.length !== shape.length)
          yield `value ${id} has ${axes.length} names for ${shape.length} axes`;
      }
    },
  ],
  [
    "every value that is spoken of exists",
    function* (model) {
      for (const [where, id] of idsOf(model))
        if (!(id >= 0 && id < model.values.length)) yield `${where}: there is no value ${id}`;
    },
  ],
  [
    "every value is made once",
    function* ({ inputs, nodes }) {
      const made: string[] = inputs.map((i) => `${i.value}`);
      for (const node of allNodes(nodes))
        made.push(...[...node.outputs, ...(node.body?.parameters ?? [])].map(String));
      yield* repeated("value", made);
    },
  ],
  [
    "nodes stand in an order in which they can be computed, and steps are closed",
    function* ({ inputs, outputs, nodes, taps }) {
      const known = new Set(inputs.map((i) => i.value));
      yield* early(nodes, known);
      for (const o of outputs) if (!known.has(o.value)) yield `output ${o.name} is never computed`;
      for (const t of taps) if (!known.has(t.value)) yield `tap ${t.name} is never computed`;
    },
  ],
  [
    "names and paths are unique",
    function* ({ inputs, outputs, weights, instances, nodes, taps }) {
      yield* repeated(
        "input or output",
        [...inputs, ...outputs].map((p) => p.name),
      );
      yield* repeated(
        "tap",
        taps.map((t) => t.name),
      );
      yield* repeated(
        "weight",
        weights.map((w) => w.path),
      );
      yield* repeated(
        "instance",
        instances.map((i) => i.path),
      );
      yield* repeated(
        "node",
        [...allNodes(nodes)].map((n) => n.path),
      );
    },
  ],
  [
    "weights of nodes and of coefficients exist, and coefficients are among the node's weights or its own",
    function* ({ nodes, weights }) {
      for (const node of allNodes(nodes)) {
        for (const [name, id] of Object.entries(node.weights))
          if (!(id >= 0 && id < weights.length)) yield `${node.path}.${name}: there is no weight ${id}`;
        for (const c of coefficients(node.config)) {
          if (c.kind === "learned" && !(c.weight >= 0 && c.weight < weights.length))
            yield `${node.path}: there is no weight ${c.weight}`;
        }
      }
    },
  ],
  [
    "every weight is used",
    function* ({ nodes, weights }) {
      const used = new Set<number>();
      for (const node of allNodes(nodes)) {
        for (const id of Object.values(node.weights)) used.add(id);
        for (const c of coefficients(node.config)) if (c.kind === "learned") used.add(c.weight);
      }
      for (const [id, { path }] of weights.entries())
        if (!used.has(id)) yield `weight ${path} is used by no node`;
    },
  ],
  [
    "weights have sensible shapes, ranges and starts; range ends and starts are stored numbers, starts inside of the range",
    function* ({ weights }) {
      for (const { path, shape, init, range, constraint } of weights) {
        if (!shape.every((n) => Number.isSafeInteger(n) && n >= 1))
          yield `weight ${path} has shape [${shape.join(", ")}]`;
        if (range && !(range[0] <= range[1])) yield `weight ${path} has the range [${range.join(", ")}]`;
        if (range && range.some((x) => Math.fround(x) !== x))
          yield `weight ${path} has a range that isn't stored exactly`;
        if ("bound" in constraint && !(constraint.bound > 0))
          yield `weight ${path} has the bound ${constraint.bound}`;
        if (init.kind !== "constant") continue;
        const size = shape.reduce((a, b) => a * b, 1);
        if (init.values.length !== 1 && init.values.length !== size)
          yield `weight ${path} starts with ${init.values.length} numbers`;
        if (init.values.some((x) => Math.fround(x) !== x))
          yield `weight ${path} starts with numbers that aren't stored exactly`;
        if (range && init.values.some((x) => !(x >= range[0] && x <= range[1])))
          yield `weight ${path} starts outside of its range`;
      }
    },
  ],
  [
    "the longest sum is a whole number of at least 2",
    function* ({ inference }) {
      if (inference && !(Number.isSafeInteger(inference.longestSum) && inference.longestSum >= 2))
        yield `it is ${inference.longestSum}`;
    },
  ],
  [
    "configurations hold no NaN and no infinity",
    function* ({ nodes }) {
      for (const node of allNodes(nodes))
        for (const x of numbersIn(node.config)) if (!Number.isFinite(x)) yield `${node.path} holds ${x}`;
    },
  ],
  [
    "domains are not empty",
    function* ({ inputs }) {
      for (const { name, domain } of inputs) {
        if (domain.kind === "box" && !(domain.low <= domain.high))
          yield `input ${name}: [${domain.low}, ${domain.high}]`;
        if (domain.kind === "ball" && !(domain.radius >= 0)) yield `input ${name}: radius ${domain.radius}`;
        if (domain.kind === "tokens" && !(domain.count >= 1)) yield `input ${name}: ${domain.count} tokens`;
      }
    },
  ],
  [
    "claims have a finite limit; a radius is about one value",
    function* ({ claims }) {
      for (const c of claims) {
        if (!Number.isFinite(c.limit)) yield `claim ${c.text}: ${c.limit}`;
        if (c.kind === "radius" && c.from !== c.to) yield `claim ${c.text}: two values`;
      }
    },
  ],
];

/** Everything that isn't as it must be; empty for a legal model. */
export function violations(model: Model): string[] {
  return legality.flatMap(([what, find]) => [...find(model)].map((where) => `${what}: ${where}`));
}
