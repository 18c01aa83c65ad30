import { micro, n } from "./micro.ts";
const R = 6272;
const ms = "com.microsoft";
for (const [k, m] of [[96, 384], [96, 288], [96, 96]]) {
  console.log(k, m);
  await micro({ name: `wT x`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("FusedMatMul", ["w", "x"], ["y"], { transA: 1 }, ms)] });
  await micro({ name: `xT w`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("FusedMatMul", ["x", "w"], ["y"], { transA: 1 }, ms)] });
  for (const s of [2, 4, 7, 8, 14, 16, 28, 32, 64]) {
    await micro({ name: `wT x batched ${s}`, inputs: { x: [s, R / s, k], w: [s, R / s, m], "i:0": [0] }, nodes: [n("FusedMatMul", ["w", "x"], ["z"], { transA: 1 }, ms), n("ReduceSum", ["z", "i:0"], ["y"])] });
    await micro({ name: `xT w batched ${s}`, inputs: { x: [s, R / s, k], w: [s, R / s, m], "i:0": [0] }, nodes: [n("FusedMatMul", ["x", "w"], ["z"], { transA: 1 }, ms), n("ReduceSum", ["z", "i:0"], ["y"])] });
  }
  await micro({ name: `transpose w + matmul`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("Transpose", ["w"], ["t"], { perm: [1, 0] }), n("MatMul", ["t", "x"], ["y"])] });
  await micro({ name: `transpose x + matmul`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("Transpose", ["x"], ["t"], { perm: [1, 0] }), n("MatMul", ["t", "w"], ["y"])] });
}
