import { describe, expect, test } from "vitest";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { emitOnnx, onnxModel, type OnnxOptions } from "../../src/targets/onnx/onnx.ts";
import { decodeModel } from "../../src/targets/onnx/proto.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { exact, expectClose, runOnce, valueOf } from "./support.ts";

function operators(b: Builder, result: Tensor, options?: OnnxOptions): string[] {
  return onnxModel(b.graph("g", [{ name: "y", tensor: result }]), options).nodes.map((n) => n.opType);
}

/** The graph's result on the engine is that of the interpreter, with and without peepholes. */
async function agrees(b: Builder, result: Tensor): Promise<void> {
  const graph = b.graph("g", [{ name: "y", tensor: result }]);
  const feeds: Record<string, HostTensor> = {};
  let state = 1;
  for (const node of graph.nodes) {
    if (node.op !== "input") continue;
    const { name } = node.attributes as { name: string };
    const size = node.shape.reduce((x, y) => x * y, 1);
    const data = Float32Array.from(
      { length: size },
      () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff,
    );
    feeds[name] = { dtype: "f32", dims: node.shape, data };
  }
  const engine = valueOf(await openOrtNode({ threads: 1 }));
  expectClose((await runOnce(engine, graph, feeds)).y, exact(graph, feeds).y, 1e-5);
  const plain = valueOf(await engine.load(graph, emitOnnx(graph, { fuse: false })));
  expectClose((await plain.run(feeds)).y, exact(graph, feeds).y, 1e-5);
  await plain.release();
}

describe("peepholes", () => {
  test("a bias goes into a Gemm that is long for its width, and stays outside of a wide one", async () => {
    for (const [k, n, expected] of [
      [8, 4, ["Gemm"]],
      [4, 8, ["Gemm", "Add"]],
    ] as const) {
      const b = new Builder();
      const y = b.add(b.matmul(b.input("x", [5, k]), b.input("w", [n, k]), false, true), b.input("c", [n]));
      expect(operators(b, y)).toEqual(expected);
      await agrees(b, y);
    }
  });

  test("a product that something else reads too is not folded into its bias", () => {
    const b = new Builder();
    const product = b.matmul(b.input("x", [5, 8]), b.input("w", [8, 4]));
    const y = b.mul(b.add(product, b.input("c", [4])), product);
    expect(operators(b, y)).toEqual(["Gemm", "Add", "Mul"]);
  });

  test("the sum of all squares is one operator, also where the square is wanted too", async () => {
    const b = new Builder();
    const x = b.input("x", [70, 50]);
    const square = b.mul(x, x);
    expect(operators(b, b.sum(square, [0, 1]))).toEqual(["ReduceSumSquare"]);
    const y = b.add(square, b.sum(square, [0, 1]));
    expect(operators(b, y)).toEqual(["Mul", "ReduceSumSquare", "Add"]);
    await agrees(b, y);
  });

  test("the input gradient of a depthwise convolution of stride 1 is a convolution", async () => {
    const b = new Builder();
    const attributes = { stride: [1, 1], padding: [2, 0, 1, 2], dilation: [1, 2], groups: 3 } as const;
    const x = b.input("x", [2, 3, 9, 8]);
    const kernel = b.input("k", [3, 1, 3, 2]);
    const { shape } = b.conv(x, kernel, attributes);
    const dx = b.op("convGradInput", [b.input("dy", shape), kernel], { ...attributes, input: x.shape });
    expect(operators(b, dx)).toEqual(["Slice", "Conv"]);
    await agrees(b, dx);
  });

  test("a factor and a swap of axes go into the product", async () => {
    const b = new Builder();
    const k = b.transpose(b.input("k", [2, 3, 4, 5]), [0, 1, 3, 2]);
    const y = b.mul(b.matmul(b.input("q", [2, 3, 4, 5]), k), 10);
    expect(operators(b, y)).toEqual(["FusedMatMul"]);
    expect(operators(b, y, { provider: "webgpu" })).toEqual(["Transpose", "MatMul", "Mul"]);
    await agrees(b, y);
  });

  test("the gradient of a split is one Concat", async () => {
    const b = new Builder();
    const parts = [0, 1, 2].map((i) => b.input(`p${i}`, [2, 3]));
    const padded = parts.map((p, i) => b.pad(p, [0, 3 * i], [0, 6 - 3 * i]));
    const y = b.add(b.add(padded[2], padded[0]), padded[1]);
    expect(operators(b, y)).toEqual(["Concat"]);
    await agrees(b, y);
    const more = b.add(y, b.input("rest", [2, 9]));
    expect(operators(b, more)).toEqual(["Concat", "Add"]);
    await agrees(b, more);
  });

  test("pads that overlap or leave a gap stay a sum", async () => {
    for (const [before, after] of [
      [2, 1],
      [4, 0],
    ]) {
      const b = new Builder();
      const y = b.add(
        b.pad(b.input("p", [2, 3]), [0, 0], [0, before + after]),
        b.pad(b.input("q", [2, 3]), [0, before], [0, after]),
      );
      expect(operators(b, y)).toEqual(["Pad", "Pad", "Add"]);
      await agrees(b, y);
    }
  });

  test("no broadcast is written out before an elementwise operation", async () => {
    const b = new Builder();
    const x = b.input("x", [3, 4]);
    const y = b.mul(b.add(x, b.broadcast(b.input("c", [4]), [3, 4])), b.constant(2, [3, 4]));
    expect(operators(b, y)).toEqual(["Add", "Mul"]);
    await agrees(b, y);
    // One of the two has to make the shape: the constant, then.
    const z = b.add(b.broadcast(b.input("d", [4]), [3, 4]), b.constant(1, [3, 4]));
    expect(operators(b, z)).toEqual(["Add"]);
    await agrees(b, z);
  });

  test("a weight's gradient is multiplied with its wider side first", async () => {
    const b = new Builder();
    const y = b.matmul(b.input("x", [20, 3]), b.input("dy", [20, 7]), true, false);
    expect(operators(b, y)).toEqual(["Gemm", "Transpose"]);
    expect(operators(b, y, { provider: "cuda" })).toEqual(["Gemm"]);
    await agrees(b, y);
  });
});

describe("the file", () => {
  test("one value under two names, a constant and a bare input can be outputs", async () => {
    const b = new Builder();
    const x = b.input("x", [2]);
    const y = b.exp(x);
    const outputs = [y, y, b.constant(3, [2]), x].map((tensor, i) => ({ name: `out${i}`, tensor }));
    const graph = b.graph("g", outputs);
    const feeds: Record<string, HostTensor> = { x: { dtype: "f32", dims: [2], data: Float32Array.of(0, 1) } };
    const found = await runOnce(valueOf(await openOrtNode()), graph, feeds);
    const expected = exact(graph, feeds);
    for (const { name } of outputs) expectClose(found[name], expected[name], 1e-6);
  });

  test("unused inputs stay in the signature, dead nodes don't", () => {
    const b = new Builder();
    const [x] = [b.input("x", [2]), b.input("unused", [3])];
    b.exp(x);
    const model = onnxModel(b.graph("g", [{ name: "y", tensor: b.neg(x) }]));
    expect(model.inputs.map((i) => i.name)).toEqual(["x", "unused"]);
    expect(model.nodes.map((n) => n.opType)).toEqual(["Neg"]);
  });

  test("names of nodes carry the path of their layer, and never meet an input's name", () => {
    const b = new Builder();
    b.origin = "blocks.0.attention";
    const x = b.input("blocks.0.attention/exp.1", [2]);
    const [node] = onnxModel(b.graph("g", [{ name: "y", tensor: b.neg(b.exp(x)) }])).nodes;
    expect(node.name).toBe("blocks.0.attention/exp.1.2");
  });

  test("initialisers take the place of inputs", async () => {
    const b = new Builder();
    const graph = b.graph("g", [{ name: "y", tensor: b.add(b.input("x", [2]), b.input("w", [2])) }]);
    const w: HostTensor = { dtype: "f32", dims: [2], data: Float32Array.of(10, 20) };
    const decoded = decodeModel(emitOnnx(graph, { initializers: { w } })) as {
      producerName: string;
      graph: { input: { name: string }[]; initializer: { name: string; rawData: Uint8Array }[] };
      opsetImport: { domain: string; version: number }[];
    };
    expect(decoded.graph.input.map((i) => i.name)).toEqual(["x"]);
    const stored = decoded.graph.initializer.find((t) => t.name === "w");
    expect([...new Float32Array(Uint8Array.from(stored?.rawData ?? []).buffer)]).toEqual([10, 20]);
    expect(decoded.opsetImport[0].version).toBe(20);
  });

  test("the same graph gives the same bytes", () => {
    const make = () => {
      const b = new Builder();
      return emitOnnx(b.graph("g", [{ name: "y", tensor: b.softmax(b.input("x", [2, 3])) }]));
    };
    expect(make()).toEqual(make());
  });
});
