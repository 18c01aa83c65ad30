import { buildVit } from "./vit.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { simplify } from "../../src/graph/passes/simplify.ts";

const batch = 128;
const profile = process.argv.includes("--profile");
const pick = process.argv.find((a) => a.startsWith("--attention="))?.slice(12) as never;
const t0 = performance.now();
const built = buildVit({ batch, attention: pick ?? "slice" });
const graph = simplify(built.graph);
const t1 = performance.now();
const model = emitOnnx(graph);
const t2 = performance.now();
console.log("nodes", graph.nodes.length, "build", t1 - t0, "emit", t2 - t1, "bytes", model.length);
const opened = await openOrtNode({ threads: Number(process.env.THREADS ?? 2) });
if (!opened.ok) throw new Error(opened.problem.message);
const session = await opened.value.load(graph, model, { carry: [...built.shapes.keys()] }, profile ? "/tmp/ortprof" : undefined);
if (!session.ok) throw new Error(session.problem.message);
console.log("load", performance.now() - t2);
const s = session.value;
let seed = 1;
const random = () => {
  seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  return seed / 0x7fffffff;
};
const state: Record<string, HostTensor> = {};
for (const [name, dims] of built.shapes) {
  const n = dims.reduce((a, b) => a * b, 1);
  const data = new Float32Array(n);
  if (name.endsWith(".scale") && !name.includes("/")) data.fill(1);
  else if (!name.includes("/") && dims.length === 2) for (let i = 0; i < n; i++) data[i] = (random() - 0.5) * 2 * Math.sqrt(3 / dims[1]);
  state[name] = { dtype: "f32", dims, data };
}
await s.write(state);
const image = new Float32Array(batch * 784).map(() => random());
const labels = new Int32Array(batch).map(() => Math.floor(random() * 10));
const scalar = (x: number): HostTensor => ({ dtype: "f32", dims: [], data: Float32Array.of(x) });
const times: number[] = [];
const losses: number[] = [];
const steps = Number(process.env.STEPS ?? 15);
for (let i = 1; i <= steps; i++) {
  const t = performance.now();
  const out = await s.run({
    "data/image": { dtype: "f32", dims: [batch * 49, 16], data: image },
    "data/labels": { dtype: "i32", dims: [batch], data: labels },
    lr: scalar(1e-3),
    c1: scalar(1 / (1 - 0.9 ** i)),
    c2: scalar(1 / (1 - 0.999 ** i)),
  });
  times.push(performance.now() - t);
  losses.push(out.loss.data[0]);
}
const sorted = times.slice(2).sort((a, b) => a - b);
console.log("min", sorted[0].toFixed(1), "median", sorted[sorted.length >> 1].toFixed(1), "loss", losses[0], losses[losses.length - 1]);
await s.release();
