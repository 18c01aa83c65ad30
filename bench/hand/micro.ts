import ort from "onnxruntime-node";
import { readFileSync, readdirSync, unlinkSync } from "node:fs";
import { encodeModel, type OnnxNode } from "../../src/targets/onnx/proto.ts";
import { sessionSettings } from "../../src/runtime/engines/onnxruntime-node.ts";

export interface Case { name: string; inputs: Record<string, number[]>; nodes: Omit<OnnxNode, "name">[] }
export const n = (opType: string, inputs: string[], outputs: string[], attributes: OnnxNode["attributes"] = {}, domain = "") => ({ opType, inputs, outputs, attributes, domain });

export async function micro(c: Case, repeat = 30, threads = 2): Promise<void> {
  const outs = c.nodes.flatMap((x) => x.outputs).filter((o) => !c.nodes.some((x) => x.inputs.includes(o)));
  const int = Object.keys(c.inputs).filter((k) => k.startsWith("i:"));
  const model = encodeModel({
    name: c.name, opset: 20,
    nodes: c.nodes.map((x, i) => ({ ...x, name: `${i}_${x.opType}` })),
    inputs: Object.entries(c.inputs).filter(([k]) => !k.startsWith("i:")).map(([name, dims]) => ({ name, dtype: "f32" as const, dims })),
    outputs: outs.map((name) => ({ name, dtype: "f32" as const, dims: ["?"] as never })).map((o) => ({ ...o, dims: [] })),
    initializers: int.map((k) => ({ name: k, type: "i64" as const, dims: [c.inputs[k].length], bytes: new Uint8Array(BigInt64Array.from(c.inputs[k].map(BigInt)).buffer) })),
  });
  const s = await ort.InferenceSession.create(model, { ...sessionSettings(threads), enableProfiling: true, profileFilePrefix: "/tmp/micro", logSeverityLevel: 4, graphOptimizationLevel: (process.env.OPT as never) ?? "all" });
  const feeds: Record<string, ort.Tensor> = {};
  for (const [k, d] of Object.entries(c.inputs)) if (!k.startsWith("i:")) {
    const size = d.reduce((a, b) => a * b, 1);
    feeds[k] = new ort.Tensor("float32", new Float32Array(size).map(() => Math.random() - 0.5), d);
  }
  for (let i = 0; i < repeat; i++) await s.run(feeds);
  (s as unknown as { handler: { endProfiling(): void } }).handler?.endProfiling?.();
  s.endProfiling?.();
  await s.release();
  const file = readdirSync("/tmp").filter((f) => f.startsWith("micro_") && f.endsWith(".json")).map((f) => `/tmp/${f}`).sort().pop() as string;
  let text = readFileSync(file, "utf8").trim();
  if (!text.endsWith("]")) text = text.replace(/,$/, "") + "]";
  const events = JSON.parse(text) as { name: string; dur: number; cat: string }[];
  unlinkSync(file);
  const per = new Map<string, number[]>();
  for (const e of events) if (e.cat === "Node" && e.name.endsWith("_kernel_time")) {
    const key = e.name.slice(0, -12);
    per.set(key, [...(per.get(key) ?? []), e.dur]);
  }
  const med = (xs: number[]) => xs.sort((a, b) => a - b)[xs.length >> 2];
  let total = 0;
  const parts: string[] = [];
  for (const [k, v] of per) { const m = med(v); total += m; parts.push(`${k}=${m}`); }
  console.log(c.name.padEnd(34), String(total).padStart(7), "us ", parts.join(" "));
}
