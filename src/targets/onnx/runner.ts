/** The program that `lipsc build` writes beside the ONNX files: short, plain, to be read and changed. */
export const runnerSource = `// Runs the compiled model with onnxruntime-node alone (npm install onnxruntime-node).
//   node run.mjs            one inference and ten training steps on random data
// manifest.json lists every input and output; a training step takes parameters, optimiser state, a batch and
// scalars, and gives new parameters and new state, their names with next/ before them, and metrics.
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";

const read = (name) => readFileSync(new URL(name, import.meta.url));
const manifest = JSON.parse(read("manifest.json"));

/** Weights from a safetensors file: header length, JSON header, bytes. */
function readWeights(name) {
  const bytes = read(name);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length));
  const weights = new Map();
  for (const [path, t] of Object.entries(header)) {
    if (path === "__metadata__") continue;
    const [from, to] = t.data_offsets;
    const data = new Float32Array(Uint8Array.from(bytes.subarray(8 + length + from, 8 + length + to)).buffer);
    weights.set(path, new ort.Tensor("float32", data, t.shape));
  }
  return weights;
}

/** A tensor for an input that is neither a weight nor a scalar: zeros for optimiser state, random data otherwise. */
function filler({ name, dtype, shape }) {
  const size = shape.reduce((a, b) => a * b, 1);
  if (dtype === "i32") return new ort.Tensor("int32", new Int32Array(size), shape);
  const data = new Float32Array(size);
  if (name.startsWith("data/")) for (let i = 0; i < size; i++) data[i] = Math.random();
  return new ort.Tensor("float32", data, shape);
}

const weights = readWeights("initial.safetensors");
const scalar = (x) => new ort.Tensor("float32", Float32Array.of(x), []);
const feedsOf = (part) =>
  Object.fromEntries(part.inputs.map((i) => [i.name, weights.get(i.name.replace(/^param\\//, "")) ?? filler(i)]));

const inference = await ort.InferenceSession.create(new URL(manifest.inference.file, import.meta.url).pathname);
const outputs = await inference.run(feedsOf(manifest.inference));
for (const [name, tensor] of Object.entries(outputs)) console.log(name, tensor.dims, tensor.data.slice(0, 10));

const training = await ort.InferenceSession.create(new URL(manifest.training.file, import.meta.url).pathname);
const lr = manifest.recipe.optimizer.args.lr;
let feeds = feedsOf(manifest.training);
for (let step = 1; step <= 10; step++) {
  feeds["scalar/lr"] = scalar(lr);
  feeds["scalar/step"] = scalar(step);
  feeds["scalar/seed"] = scalar(manifest.recipe.seed);
  const result = await training.run(feeds);
  for (const name of Object.keys(feeds)) feeds[name] = result["next/" + name] ?? feeds[name];
  console.log("step", step, "loss", result["metric/loss"].data[0]);
}
`;
