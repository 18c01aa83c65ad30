import { micro, n } from "./micro.ts";
const R = 6272;
const ms = "com.microsoft";
for (let round = 0; round < 2; round++) for (const [k, m] of [[96, 384], [384, 96], [96, 288], [96, 96]]) {
  console.log(k, m);
  for (const t of [0, 1]) {
    const w = t ? [m, k] : [k, m];
    await micro({ name: `gemm transB=${t}`, inputs: { x: [R, k], w }, nodes: [n("Gemm", ["x", "w"], ["y"], { transB: t })] });
    await micro({ name: `fused transB=${t}`, inputs: { x: [R, k], w }, nodes: [n("FusedMatMul", ["x", "w"], ["y"], { transB: t }, ms)] });
  }
  await micro({ name: `biasgelu`, inputs: { x: [R, m], b: [m] }, nodes: [n("BiasGelu", ["x", "b"], ["y"], {}, ms)] });
  await micro({ name: `add gelu`, inputs: { x: [R, m], b: [m] }, nodes: [n("Add", ["x", "b"], ["z"], {}), n("Gelu", ["z"], ["y"], {})] });
}
await micro({ name: `ln`, inputs: { x: [R, 96], g: [96], b: [96] }, nodes: [n("LayerNormalization", ["x", "g", "b"], ["y", "mean", "inv"], {})] });
await micro({ name: `ln skip`, inputs: { x: [R, 96], s: [R, 96], g: [96], b: [96] }, nodes: [n("SkipLayerNormalization", ["x", "s", "g", "b"], ["y"], {}, ms)] });
await micro({ name: `lpnorm`, inputs: { x: [128,3,49,32]}, nodes: [n("LpNormalization", ["x"], ["y"], {})] });
await micro({ name: `rowsum 96 kr`, inputs: { x: [R, 96], "i:1": [1]}, nodes: [n("ReduceSum", ["x", "i:1"], ["y"], {keepdims:1})] });
await micro({ name: `rowsum 96 matmul`, inputs: { x: [R, 96], o: [96, 1]}, nodes: [n("MatMul", ["x", "o"], ["y"], {})] });
await micro({ name: `rowsumsquare 96`, inputs: { x: [R, 96], "i:1": [1]}, nodes: [n("ReduceSumSquare", ["x", "i:1"], ["y"], {keepdims:1})] });
await micro({ name: `mul+rowsum 96`, inputs: { x: [R, 96],z: [R,96], "i:1": [1]}, nodes: [n("Mul", ["x", "z"], ["t"]), n("ReduceSum", ["t", "i:1"], ["y"], {keepdims:1})] });
await micro({ name: `rowdot by batched matmul 96`, inputs: { x: [R,1, 96],z: [R,96,1]}, nodes: [n("MatMul", ["x", "z"], ["y"])] });
await micro({ name: `einsum`, inputs: { x: [R,96],z: [R,96]}, nodes: [n("Einsum", ["x", "z"], ["y"], {equation: "ij,ij->i"})] });
await micro({ name: `reduceL2`, inputs: { x: [R, 96], "i:1": [1]}, nodes: [n("ReduceL2", ["x", "i:1"], ["y"], {keepdims:1})] });
await micro({ name: `mul full`, inputs: { x: [R, 96], y: [R,96]}, nodes: [n("Mul", ["x", "y"], ["z"])] });
await micro({ name: `mul row`, inputs: { x: [R, 96], y: [R,1]}, nodes: [n("Mul", ["x", "y"], ["z"])] });
await micro({ name: `div row`, inputs: { x: [R, 96], y: [R,1]}, nodes: [n("Div", ["x", "y"], ["z"])] });
await micro({ name: `mul col`, inputs: { x: [R, 96], y: [96]}, nodes: [n("Mul", ["x", "y"], ["z"])] });
await micro({ name: `mul scalar 384`, inputs: { x: [R, 384], y: []}, nodes: [n("Mul", ["x", "y"], ["z"])] });
await micro({ name: `mul full 384`, inputs: { x: [R, 384], y: [R,384]}, nodes: [n("Mul", ["x", "y"], ["z"])] });
for (const op of ["Exp", "Erf", "Neg", "Sqrt", "Gelu", "Tanh", "Sigmoid"]) await micro({ name: `${op} 384`, inputs: { x: [R, 384]}, nodes: [n(op, ["x"], ["z"])] });
await micro({ name: `QuickGelu 384`, inputs: { x: [R, 384]}, nodes: [n("QuickGelu", ["x"], ["z"], {}, ms)] });
await micro({ name: `Sum3 384`, inputs: { x: [R, 384], y: [R,384], w: [R, 384]}, nodes: [n("Sum", ["x", "y", "w"], ["z"])] });
await micro({ name: `transpose bnhd`, inputs: { x: [128,49,3,32]}, nodes: [n("Transpose", ["x"], ["z"], {perm: [0,2,1,3]})] });
await micro({ name: `transpose bn3hd`, inputs: { x: [128,49,3,3,32]}, nodes: [n("Transpose", ["x"], ["z"], {perm: [2,0,3,1,4]})] });
await micro({ name: `transpose b3hnd back`, inputs: { x: [3,128,3,49,32]}, nodes: [n("Transpose", ["x"], ["z"], {perm: [1,3,0,2,4]})] });
await micro({ name: `split 3 last`, inputs: { x: [R, 288]}, nodes: [n("Split", ["x"], ["a", "b", "c"], {axis: 1, num_outputs: 3})] });
await micro({ name: `concat 3 last`, inputs: { x: [R, 96], y: [R, 96], z: [R, 96]}, nodes: [n("Concat", ["x", "y", "z"], ["a"], {axis: 1})] });
await micro({ name: `concat 3 first`, inputs: { x: [1,R, 96], y: [1,R, 96], z: [1,R, 96]}, nodes: [n("Concat", ["x", "y", "z"], ["a"], {axis: 0})] });
await micro({ name: `softmax`, inputs: { x: [128,3,49,49]}, nodes: [n("Softmax", ["x"], ["z"], {axis: -1})] });
await micro({ name: `qk`, inputs: { q: [128,3,49,32], k: [128,3,49,32]}, nodes: [n("FusedMatMul", ["q", "k"], ["z"], {transB: 1}, ms)] });
await micro({ name: `pv`, inputs: { q: [128,3,49,49], k: [128,3,49,32]}, nodes: [n("MatMul", ["q", "k"], ["z"])] });
await micro({ name: `ptv`, inputs: { q: [128,3,49,49], k: [128,3,49,32]}, nodes: [n("FusedMatMul", ["q", "k"], ["z"], {transA: 1}, ms)] });
await micro({ name: `q k transBatch`, inputs: { q: [49,128,3,32], k: [49,128,3,32]}, nodes: [n("FusedMatMul", ["q", "k"], ["z"], {transB: 1, transBatchA: 1, transBatchB: 1}, ms)] });
