import { micro, n } from "./micro.ts";
const R = 6272;
for (const [k, m] of [[96, 384], [384, 96], [96, 288], [96, 96]]) {
  const fl = (2 * R * k * m) / 1e3;
  console.log(k, m, "ideal us at 280GF", (fl / 280 / 1).toFixed(0));
  await micro({ name: `gemm transB bias ${k}x${m}`, inputs: { x: [R, k], w: [m, k], b: [m] }, nodes: [n("Gemm", ["x", "w", "b"], ["y"], { transB: 1 })] });
  await micro({ name: `gemm transB nobias`, inputs: { x: [R, k], w: [m, k] }, nodes: [n("Gemm", ["x", "w"], ["y"], { transB: 1 })] });
  await micro({ name: `gemm plain`, inputs: { x: [R, k], w: [k, m] }, nodes: [n("Gemm", ["x", "w"], ["y"], {})] });
  await micro({ name: `gemm transB + Add`, inputs: { x: [R, k], w: [m, k], b: [m] }, nodes: [n("Gemm", ["x", "w"], ["z"], { transB: 1 }), n("Mul", ["z", "b"], ["y"])] });
  await micro({ name: `matmul`, inputs: { x: [R, k], w: [k, m] }, nodes: [n("MatMul", ["x", "w"], ["y"], {})] });
  await micro({ name: `fusedmatmul transB`, inputs: { x: [R, k], w: [m, k] }, nodes: [n("FusedMatMul", ["x", "w"], ["y"], { transB: 1 }, "com.microsoft")] });
  await micro({ name: `dW = dyT x`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("Gemm", ["w", "x"], ["y"], { transA: 1 })] });
  await micro({ name: `dW = dyT x FusedMatMul`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("FusedMatMul", ["w", "x"], ["y"], { transA: 1 }, "com.microsoft")] });
  await micro({ name: `dW = xT dy`, inputs: { x: [R, k], w: [R, m] }, nodes: [n("Gemm", ["x", "w"], ["y"], { transA: 1 })] });
  await micro({ name: `dW batched 2 + add`, inputs: { x: [2,R/2, k], w: [2,R/2, m], "i:0": [0] }, nodes: [n("FusedMatMul", ["w", "x"], ["z"], { transA: 1 }, "com.microsoft"), n("ReduceSum", ["z", "i:0"], ["y"])] });
  await micro({ name: `db ReduceSum ${m}`, inputs: { w: [R, m], "i:0": [0] }, nodes: [n("ReduceSum", ["w", "i:0"], ["y"], {keepdims: 0})] });
  await micro({ name: `db gemm`, inputs: { o: [1, R], w: [R, m] }, nodes: [n("Gemm", ["o", "w"], ["y"], {})] });
  await micro({ name: `db matmul vec`, inputs: { o: [R], w: [R, m] }, nodes: [n("MatMul", ["o", "w"], ["y"], {})] });
  await micro({ name: `db gemm wT 8`, inputs: { o: [R, 8], w: [R, m] }, nodes: [n("Gemm", ["w", "o"], ["y"], {transA: 1})] });
}
await micro({ name: `gemm 2048`, inputs: { x: [2048, 2048], w: [2048, 2048] }, nodes: [n("Gemm", ["x", "w"], ["y"], {})] });
