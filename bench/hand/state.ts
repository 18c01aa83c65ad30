import { Builder } from "../../src/graph/builder.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { emitOnnx } from "../../src/targets/onnx/onnx.ts";
for (const [tensors, entries] of [[210, 142857], [1, 30000000]]) {
const b = new Builder();
const names = Array.from({ length: tensors }, (_, i) => `state/${i}`);
const graph = b.graph("state", names.map((n) => ({ name: n, tensor: b.add(b.input(n, [entries]), 1) })));
const e = await openOrtNode();
if (!e.ok) throw 1;
for (const carry of [names, []]) {
const s = await e.value.load(graph, emitOnnx(graph), { carry });
if (!s.ok) throw 1;
let feeds: Record<string, any> = carry.length ? {} : Object.fromEntries(names.map((n) => [n, { dtype: "f32", dims: [entries], data: new Float32Array(entries) }]));
const t: number[] = [];
for (let i = 0; i < 15; i++) { const t0 = performance.now(); const out = await s.value.run(feeds); if (!carry.length) feeds = out; t.push(performance.now() - t0); }
t.sort((a, b) => a - b);
console.log(tensors, carry.length ? "carry" : "feed", t[0].toFixed(1), t[7].toFixed(1));
}
const x = new Float32Array(30e6), y = new Float32Array(30e6);
y.set(x);
const t0 = performance.now(); y.set(x); console.log("memcpy 120MB", performance.now() - t0);
}
