import { it } from "vitest";
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { crossEntropy } from "../../src/graph/loss.ts";
import { dataInputs, lowerModel, parameterInputs } from "../../src/graph/lower.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { goldenSpec, readGolden } from "../helpers/golden.ts";
it("fd", () => {
  const golden = readGolden();
  const model = modelOf(goldenSpec, "LipsFormerSwinReleasedMini");
  const builder = new Builder();
  const params = parameterInputs(builder, model);
  const inputs = dataInputs(builder, model, 4);
  const lowered = lowerModel(builder, model, { batch: 4, training: false, inputs, weights: params, random: null });
  if (!lowered.ok) throw new Error();
  const logits = lowered.value.get(model.outputs[0].value)!;
  const labels = builder.input("labels", [4], "i32");
  const { loss, stop } = crossEntropy(builder, logits, labels, 0);
  const node = model.nodes.find((n) => n.path === "lips_block.1.1.depthwise_conv_2")!;
  const X = lowered.value.get(node.outputs[0])!;
  const gelu = model.nodes.find((n) => n.inputs[0] === node.outputs[0])!;
  const Y = lowered.value.get(gelu.outputs[0])!;
  const [gx, gy] = gradients(builder, loss, [X, Y], { stop });
  const g = builder.graph("golden", [{ name: "X", tensor: X }, { name: "gx", tensor: gx }, { name: "gy", tensor: gy }]);
  const feeds: any = { "data/image": array64(golden.input.shape, golden.input.data), labels: array64([4], golden.labels) };
  for (const w of model.weights) feeds[`param/${w.path}`] = array64(w.shape, Array.from(golden.weights.get(w.path)!.data, Number));
  const out = interpret(g, feeds);
  const B = 4, C = 32, S = 49;
  const want = golden.gradients.get("lips_block.1.1.depthwise_conv_2.bias")!.data as Float32Array;
  // NHWC memories
  const nhwc = (a: Float64Array) => a;
  const nchw = (a: Float64Array) => { const r = new Float64Array(a.length); for (let b = 0; b < B; b++) for (let s = 0; s < S; s++) for (let c = 0; c < C; c++) r[(b * C + c) * S + s] = a[(b * S + s) * C + c]; return r; };
  const erf = (x: number) => { // numeric
    let s = 0, t = x, n = 0; if (Math.abs(x) > 5) return Math.sign(x); while (Math.abs(t) > 1e-17 * Math.abs(s) || n < 2) { s += t / (2 * n + 1); n++; t *= -x * x / n; if (n > 200) break; } return 2 / Math.sqrt(Math.PI) * s; };
  const dg = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2)) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  const sums = (r: Float64Array, layout: string) => { const o = new Float64Array(C); for (let b = 0; b < B; b++) for (let s = 0; s < S; s++) for (let c = 0; c < C; c++) o[c] += layout === "nchw" ? r[(b * C + c) * S + s] : r[(b * S + s) * C + c]; return o; };
  { const o = sums(out.gx.data, "nhwc"); const so = sums(out.gy.data, "nhwc"); for (let c = 0; c < C; c++) console.log("row", c, want[c].toFixed(5), o[c].toFixed(5), so[c].toFixed(5), (want[c]/o[c]).toFixed(4)); }
  for (const [xn, xm] of [["nhwc", nhwc], ["nchw", nchw]] as const) for (const [gn, gm] of [["nhwc", nhwc], ["nchw", nchw]] as const) {
    const x = xm(out.X.data), gg = gm(out.gy.data);
    const r = x.map((v, i) => dg(v) * gg[i]);
    for (const lay of ["nchw", "nhwc"]) { const o = sums(r, lay); let e = 0; for (let c = 0; c < C; c++) e = Math.max(e, Math.abs(o[c] - want[c])); console.log(xn, gn, lay, "err", e, "max", Math.max(...Array.from(want, Math.abs))); }
  }
});
