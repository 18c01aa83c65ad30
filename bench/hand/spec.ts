import { loadTraining, scalar } from "../project.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
const t0 = performance.now();
const { graph, state, model } = loadTraining(process.env.SPEC ?? "bench/specs/vit-bench.lips");
const t1 = performance.now();
const bytes = emitOnnx(graph);
const t2 = performance.now();
console.log("nodes", graph.nodes.length, "compile", t1 - t0, "emit", t2 - t1, bytes.length);
const e = await openOrtNode({ threads: Number(process.env.THREADS ?? 2) });
if (!e.ok) throw 1;
const r = await e.value.load(graph, bytes, { carry: Object.keys(state) }, process.argv.includes("--profile") ? "/tmp/ortprof" : undefined);
if (!r.ok) throw new Error(r.problem.message);
console.log("load", performance.now() - t2);
await r.value.write(state);
const batch = model.train?.batch ?? 0;
let seed = 1;
const random = () => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;
const image = Float32Array.from({ length: batch * 784 }, random);
const labels = Int32Array.from({ length: batch }, () => Math.floor(random() * 10));
const times: number[] = [];
let out: any;
for (let i = 1; i <= Number(process.env.STEPS ?? 15); i++) {
  const t = performance.now();
  out = await r.value.run({ "data/image": { dtype: "f32", dims: [batch, 28, 28, 1], data: image }, labels: { dtype: "i32", dims: [batch], data: labels }, "scalar/lr": scalar(1e-3), "scalar/step": scalar(i), "scalar/seed": scalar(0) });
  times.push(performance.now() - t);
}
times.sort((a, b) => a - b);
console.log("min", times[0].toFixed(1), "median", times[times.length >> 1].toFixed(1), "loss", out["metric/loss"].data[0], "parameters", Object.keys(state).filter((k) => k.startsWith("param/")).reduce((n, k) => n + state[k].data.length, 0));
if (process.env.HASH) { const { createHash } = await import("node:crypto"); const h = createHash("sha256"); for (const [n, t] of Object.entries(await r.value.read())) h.update(n).update(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength)); console.log("hash", h.digest("hex").slice(0, 16)); }
await r.value.release();
