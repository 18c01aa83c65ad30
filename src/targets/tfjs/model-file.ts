/** The generated file: what a user calls first, then the network, then what it stands on. */
import type { Dims, Graph, GraphNode } from "../../graph/graph.ts";
import type { Json, Weight } from "../../model/model.ts";
import type { TargetInput } from "../target.ts";
import { Constants, constantText } from "./constants.ts";
import { declaredNames, embed } from "./embed.ts";
import { layOut, width } from "./layout.ts";
import { camel, Naming } from "./names.ts";
import { notesOf } from "./notes.ts";
import { outline, type Outline } from "./outline.ts";
import { printFunction } from "./print.ts";
import { literal, type Value } from "./program.ts";

const supportFiles = ["run", "backend", "arrays", "products", "gelu", "conv", "constants"].map(
  (name) => `src/targets/tfjs/support/${name}.ts`,
);
const initialiserFiles = [
  "src/graph/primitives/size.ts",
  "src/graph/mix.ts",
  "src/gain/up.ts",
  "src/gain/products.ts",
  "src/gain/spectral.ts",
  "src/graph/orthonormal.ts",
  "src/graph/initialise.ts",
];
const modelTypes = "src/model/model.ts";

/** Names at the head of the file that functions of the network must not take. */
const ownNames = [
  "recipe",
  "parameters",
  "State",
  "initialise",
  "createState",
  "trainingStep",
  "predict",
  "step",
  "infer",
  "constants",
  "constant",
  "InitialWeight",
];

export function modelFile(input: TargetInput, training: Graph, inference: Graph): string {
  const { model, sources, own } = input;
  const support = supportFiles.map(own);
  const initialiser = initialiserFiles.map(own);
  const types = own(modelTypes);
  const naming = new Naming([...ownNames, ...declaredNames([...support, ...initialiser])]);
  const notes = notesOf(model, sources);
  const constants = new Constants();
  const forTraining = outline(training, notes, naming, constants);
  const forInference = outline(inference, notes, naming, constants);
  const callees = new Set([...forTraining.callees, ...forInference.callees, "Run"]);
  for (const value of constants.byName.values()) {
    const { callee } = constantText(value);
    if (callee !== null) callees.add(callee);
  }
  const parts = [
    heading(input, batchFields(training)),
    'import * as tf from "@tensorflow/tfjs-core";',
    recipeText(input),
    parametersText(model.weights),
    api(input, training, inference),
    section("The network, forward and backward"),
    ...functionsText(forTraining, notes),
    mainText("step", "One training step: forward, backward, clipping and update.", forTraining.main),
    section("The network, as it is used"),
    ...functionsText(forInference, notes),
    mainText("infer", "Inference, without dropout and drop path.", forInference.main),
    ...constantsText(constants.byName),
    section("What TensorFlow.js lacks, or does slowly on one of its backends"),
    embed(
      support,
      [...callees].filter((callee) => !callee.startsWith("tf.")),
    ),
    section("Initial weights, in the same bits as the compiler's own"),
    embed([types, ...initialiser], ["initialWeight"]),
  ];
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

function section(title: string): string {
  return `// ${title}.`;
}

function heading({ model, recipe }: TargetInput, fields: readonly Field[]): string {
  const inputs = model.inputs.map((i) => `${i.name} [batch, ${model.values[i.value].shape.join(", ")}]`);
  const outputs = model.outputs.map((o) => `${o.name} [batch, ${model.values[o.value].shape.join(", ")}]`);
  return `/**
 * ${model.name}: ${inputs.join(", ")} → ${outputs.join(", ")}.
 *
 * Compiled by lipsc from ${model.file}; made anew by \`lipsc build\`: changes belong there. The comments above
 * the blocks quote its lines. Needs @tensorflow/tfjs-core and any of its backends, and none of its gradients:
 *
 *   await tf.setBackend("wasm");
 *   const state = createState(initialise(${recipe.seed}));
 *   const { loss } = trainingStep(state, { ${fields.map(({ name }) => name).join(", ")} }, { lr: 1e-3, step: 1, seed: ${recipe.seed} });
 *
 * Every function disposes of what it makes but doesn't return.
 */`;
}

/** What the file is compiled for; shapes are static, so the batch is part of it. */
function recipeText({ recipe }: TargetInput): string {
  const { batch, epochs, optimizer, schedule, clip, seed } = recipe;
  const entries = Object.entries({ batch, epochs, seed, optimizer, schedule, clip });
  const lines = entries.map(([key, value]) => `  ${key}: ${objectText(value as Json)},`);
  return `/** What the step is compiled for; rates and epochs are the caller's to follow. */\nexport const recipe = {\n${lines.join("\n")}\n} as const;`;
}

/** As Prettier prints it on one line. */
function objectText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(objectText).join(", ")}]`;
  if (value === null || typeof value !== "object")
    return typeof value === "number" ? String(value) : literal(value);
  const entries = Object.entries(value).map(([key, entry]) => {
    const name = /^[A-Za-z_]\w*$/.test(key) ? key : literal(key);
    return `${name}: ${objectText(entry as Json)}`;
  });
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

function parametersText(weights: readonly Weight[]): string {
  const lines = weights.map(({ path, shape, init, range }) => {
    const fields = [
      `path: ${literal(path)}`,
      `shape: [${shape.join(", ")}]`,
      `init: ${objectText(init as unknown as Json)}`,
      `range: ${range === null ? "null" : `[${range.map(numberCode).join(", ")}]`}`,
    ];
    const line = `  { ${fields.join(", ")} },`;
    return line.length <= 110 ? line : `  {\n${fields.map((f) => `    ${f},`).join("\n")}\n  },`;
  });
  return `/** Every weight: PyTorch's layouts, and what its first value is made from. */\nexport const parameters: readonly InitialWeight[] = [\n${lines.join("\n")}\n];`;
}

function numberCode(x: number): string {
  return Number.isFinite(x) ? String(x) : x > 0 ? "Infinity" : "-Infinity";
}

const inputNames = (graph: Graph, prefix: string): GraphNode<"input">[] =>
  graph.nodes.filter(
    (node): node is GraphNode<"input"> =>
      node.op === "input" && (node as GraphNode<"input">).attributes.name.startsWith(prefix),
  );

function slotsOf(training: Graph): string[] {
  const outputs = training.outputs.map((o) => o.name.split("/")[0]);
  return [...new Set(outputs)].filter((slot) => slot !== "param" && slot !== "metric");
}

/** A field of Batch: the input of the graph that it feeds, and what it holds. */
interface Field {
  readonly name: string;
  readonly input: string;
  readonly type: string;
  readonly doc: string;
}

/** Data, labels, and where the recipe mixes samples what they are mixed with. */
function batchFields(training: Graph): Field[] {
  const mixed: Readonly<Record<string, readonly [name: string, doc: string]>> = {
    labels: ["labels", ""],
    "labels/other": ["otherLabels", ": labels of what the samples are mixed with"],
    "labels/share": ["share", ", from 0 to 1: how much of each sample is of its own label"],
  };
  return ["data/", "labels"].flatMap((prefix) =>
    inputNames(training, prefix).map(({ attributes: { name: input }, shape, dtype }) => {
      const [name, doc] = mixed[input] ?? [input.slice("data/".length), ""];
      return { name, input, type: `${dtype === "i32" ? "int32 " : ""}${shapeText(shape)}`, doc };
    }),
  );
}

/** initialise, createState, trainingStep, predict. */
function api({ model, recipe }: TargetInput, training: Graph, inference: Graph): string {
  const data = inputNames(training, "data/");
  const fields = batchFields(training);
  const given = fields.map(
    ({ name, input }) => `    ${input === name ? name : literal(input)}: batch.${name},`,
  );
  const shapes = fields.map(({ name, type }) => `${name} ${type}`).join(", ");
  const slots = slotsOf(training).map((slot) => `\`${slot}/<path>\``);
  const metrics = training.outputs.filter((o) => o.name.startsWith("metric/")).map((o) => o.name.slice(7));
  const first = inference.outputs[0];
  return `/** Parameters \`param/<path>\`${slots.length > 0 ? ` and the optimiser's ${slots.join(" and ")}` : ""}: tensors that stay where the backend has them. */
export type State = Tensors;

/** Initial weights by path, row-major. */
export function initialise(seed: number = recipe.seed): Record<string, Float32Array> {
  return Object.fromEntries(parameters.map((weight) => [weight.path, initialWeight(weight, seed)]));
}

/** The state before the first step, of weights by path; \`tf.dispose(state)\` frees it. */
export function createState(weights: Record<string, Float32Array> = initialise()): State {
  const state: State = {};
  for (const { path, shape } of parameters) {
    state[\`param/\${path}\`] = tf.tensor(weights[path], [...shape]);
${stateLines(training)}
  }
  return state;
}

export interface Batch {
${fields.map(({ name, type, doc }) => `  /** ${type}${doc} */\n  readonly ${name}: tf.Tensor;`).join("\n")}
}

export interface Scalars {
  /** The learning rate of this step. */
  readonly lr: number;
  /** From 1. */
  readonly step: number;
  /** A whole number below 2²⁴; dropout and drop path follow it. */
  readonly seed: number;
}

/**
 * One step on ${shapes}.
 * The state's tensors are replaced by new ones, the old are disposed of; the scalars that it returns are the caller's.
 */
${signature("trainingStep", ["state: State", "batch: Batch", "scalars: Scalars"], metricType(metrics))} {
  const given: Tensors = {
    ...state,
${given.join("\n")}
    "scalar/lr": tf.scalar(scalars.lr),
    "scalar/step": tf.scalar(scalars.step),
    "scalar/seed": tf.scalar(scalars.seed),
  };
  const next: Tensors = {};
  step({ given, next, gradient: {}, constants: constants() });
  tf.dispose([given["scalar/lr"], given["scalar/step"], given["scalar/seed"]]);
  for (const name of Object.keys(state)) state[name] = next[name];
  return {
${metrics.map((name) => `    ${camel(name)}: next["metric/${name}"],`).join("\n")}
  };
}

/** ${model.outputs.map((o) => o.name).join(", ")} of up to ${recipe.batch} samples. */
${signature("predict", ["state: State", ...data.map((n) => `${n.attributes.name.slice(5)}: tf.Tensor`)], outputType(inference))} {
  return tf.tidy(() => {
    const count = ${data[0].attributes.name.slice(5)}.shape[0];
    const next: Tensors = {};
    const given: Tensors = { ...state, ${data.map((n) => `${literal(n.attributes.name)}: filled(${n.attributes.name.slice(5)})`).join(", ")} };
${slotsOf(training).includes("ema") ? averagesLines : ""}    infer({ given, next, gradient: {}, constants: constants() });
    const first = (y: tf.Tensor): tf.Tensor => tf.slice(y, 0, count);
    return ${inference.outputs.length === 1 ? `first(next[${literal(first.name)}])` : `{ ${inference.outputs.map((o) => `${camel(o.name)}: first(next[${literal(o.name)}])`).join(", ")} }`};
  });
}

/** Zeros after the last sample, up to the batch that the file is compiled for. */
function filled(x: tf.Tensor): tf.Tensor {
  const pads = x.shape.map((n, axis): [number, number] => [0, axis === 0 ? recipe.batch - n : 0]);
  return tf.pad(x, pads);
}`;
}

function signature(name: string, parameters: readonly string[], result: string): string {
  const line = `export function ${name}(${parameters.join(", ")}): ${result}`;
  if (line.length + 2 <= width) return line;
  return `export function ${name}(\n${parameters.map((p) => `  ${p},\n`).join("")}): ${result}`;
}

/** Zeros for the optimiser's state of every weight that it moves; which slots a weight has is its update rule's. */
function stateLines(training: Graph): string {
  const outputs = new Set(training.outputs.map((o) => o.name));
  const paths = training.outputs
    .filter((o) => o.name.startsWith("param/"))
    .map((o) => o.name.slice("param/".length));
  const slots = slotsOf(training);
  const has = (slot: string, path: string): boolean => outputs.has(`${slot}/${path}`);
  const without = paths.filter((path) => !slots.some((slot) => has(slot, path)));
  const guard =
    without.length === 0 || slots.length === 0
      ? ""
      : `    if (${literal(without)}.includes(path)) continue;\n`;
  const start = (slot: string): string =>
    slot === "ema" ? "tf.tensor(weights[path], [...shape])" : "tf.zeros([...shape])";
  const lines = slots.map((slot) => {
    const others = paths.filter((path) => !without.includes(path) && !has(slot, path));
    const only = others.length === 0 ? "" : `if (!${literal(others)}.includes(path)) `;
    return `    ${only}state[\`${slot}/\${path}\`] = ${start(slot)};`;
  });
  return guard + lines.join("\n");
}

/** Where weights are averaged, the averages are what is used. */
const averagesLines = `    for (const { path } of parameters) {
      const average = state[\`ema/\${path}\`];
      if (average !== undefined) given[\`param/\${path}\`] = average;
    }
`;

function metricType(metrics: readonly string[]): string {
  return `{ ${metrics.map((name) => `${camel(name)}: tf.Tensor`).join("; ")} }`;
}

function outputType(inference: Graph): string {
  if (inference.outputs.length === 1) return "tf.Tensor";
  return `{ ${inference.outputs.map((o) => `${camel(o.name)}: tf.Tensor`).join("; ")} }`;
}

function shapeText(shape: Dims): string {
  return `[${shape.join(", ")}]`;
}

function functionsText(program: Outline, notes: (path: string) => readonly string[]): string[] {
  return program.functions.map((f) => {
    const title =
      f.scope.kind === "update"
        ? notes("update")
        : notes(f.scope.at).map((n) => (f.scope.kind === "backward" ? `Backward pass of ${n}` : n));
    const doc = title.length === 0 ? "" : `/** ${title.join(" ")} */\n`;
    return doc + printFunction(f, { types: true });
  });
}

function mainText(name: string, doc: string, body: readonly string[]): string {
  return [`/** ${doc} */`, `function ${name}(run: Run): void {`, ...body, "}"].join("\n");
}

function constantsText(constants: ReadonlyMap<string, Value>): string[] {
  if (constants.size === 0)
    return ["/** There are none. */\nfunction constants(): Tensors {\n  return {};\n}"];
  const types = { f32: "float32", i32: "int32", bool: "bool" } as const;
  const entries = [...constants].map(([name, value]) => {
    const { lines } = constantText(value);
    const rest = [`[${value.shape.join(", ")}]`, literal(types[value.dtype])];
    if (lines.length === 1)
      return layOut(`${name}: `, { call: "tf.tensor", args: [lines[0], ...rest] }, ",", 4);
    const inside = lines.map((line) => `      ${line}`).join("\n");
    return `    ${name}: tf.tensor(\n${inside},\n      ${rest.join(",\n      ")},\n    ),`;
  });
  return [
    `let kept: Tensors | null = null;

/** Tables that the network reads, made when they are first needed. */
function constants(): Tensors {
  kept ??= {
${entries.join("\n")}
  };
  for (const name of Object.keys(kept)) tf.keep(kept[name]);
  return kept;
}`,
  ];
}
