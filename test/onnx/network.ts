/** A small network with every part that training uses, its gradients, and AdamW: state in, state out. */
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { crossEntropyOf } from "../../src/graph/losses/cross-entropy.ts";
import { simplify } from "../../src/graph/passes/simplify.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";

export interface Network {
  readonly graph: Graph;
  readonly state: Record<string, HostTensor>;
  readonly feeds: (step: number) => Record<string, HostTensor>;
}

/** Numbers in [0, 1), the same each time. */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
}

export function buildNetwork(batch = 4): Network {
  const b = new Builder();
  const random = generator(7);
  const state: Record<string, HostTensor> = {};
  const params: { name: string; tensor: Tensor }[] = [];
  const parameter = (name: string, dims: readonly number[], fill?: number): Tensor => {
    const size = dims.reduce((x, y) => x * y, 1);
    const data = Float32Array.from({ length: size }, () => fill ?? (random() - 0.5) * 0.8);
    state[name] = { dtype: "f32", dims, data };
    for (const slot of ["m", "v"])
      state[`${slot}/${name}`] = { dtype: "f32", dims, data: new Float32Array(size) };
    params.push({ name, tensor: b.input(name, dims) });
    return params[params.length - 1].tensor;
  };
  const [channels, heads] = [12, 3];
  const image = b.input("image", [batch, 2, 8, 8]);
  const labels = b.input("labels", [batch], "i32");
  const [lr, step] = [b.input("lr", []), b.input("step", [])];

  const flat = { stride: [2, 2], padding: [1, 1, 1, 1], dilation: [1, 1], groups: 1 } as const;
  let maps = b.conv(image, parameter("stem", [channels, 2, 3, 3]), flat);
  const deep = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], groups: channels } as const;
  maps = b.add(maps, b.gelu(b.conv(maps, parameter("depthwise", [channels, 1, 3, 3]), deep)));
  let x = b.reshape(b.transpose(maps, [0, 2, 3, 1]), [batch * 16, channels]);
  const linear = (input: Tensor, name: string, out: number) =>
    b.add(
      b.matmul(input, parameter(`${name}.weight`, [out, input.shape[1]]), false, true),
      parameter(`${name}.bias`, [out], 0),
    );
  const qkv = linear(x, "qkv", 3 * channels);
  const [q, k, v] = [0, 1, 2].map((i) =>
    b.transpose(
      b.reshape(b.slice(qkv, 1, i * channels, (i + 1) * channels), [batch, 16, heads, channels / heads]),
      [0, 2, 1, 3],
    ),
  );
  const unit = (t: Tensor) => b.div(t, b.sqrt(b.add(b.sum(b.mul(t, t), [3], true), 1e-2)));
  const table = b.gather(parameter("position", [31, heads]), b.constant(offsets(), [256], "i32"), 0);
  const scores = b.add(
    b.mul(b.matmul(unit(q), unit(k), false, true), 5),
    b.reshape(b.transpose(table, [1, 0]), [heads, 16, 16]),
  );
  const mixed = b.matmul(b.softmax(scores), v);
  x = b.add(x, linear(b.reshape(b.transpose(mixed, [0, 2, 1, 3]), x.shape), "out", channels));
  x = b.add(x, linear(b.maximum(linear(x, "expand", 2 * channels), 0), "shrink", channels));
  const logits = linear(b.mean(b.reshape(x, [batch, 16, channels]), [1]), "head", 5);
  const { loss, stop } = crossEntropyOf(b, logits, { own: labels, mixed: null }, 0.1);
  const grads = gradients(
    b,
    loss,
    params.map((p) => p.tensor),
    { stop },
  );

  const outputs = [{ name: "loss", tensor: loss }];
  params.forEach(({ name, tensor }, i) => {
    const [m, v] = ["m", "v"].map((slot) => b.input(`${slot}/${name}`, tensor.shape));
    const m2 = b.add(b.mul(m, 0.9), b.mul(grads[i], 0.1));
    const v2 = b.add(b.mul(v, 0.999), b.mul(b.mul(grads[i], grads[i]), 0.001));
    const correct = (beta: number) => b.sub(1, b.exp(b.mul(step, Math.log(beta))));
    const move = b.div(b.div(m2, correct(0.9)), b.add(b.sqrt(b.div(v2, correct(0.999))), 1e-6));
    outputs.push({ name, tensor: b.sub(b.mul(tensor, b.sub(1, b.mul(lr, 0.05))), b.mul(move, lr)) });
    outputs.push({ name: `m/${name}`, tensor: m2 }, { name: `v/${name}`, tensor: v2 });
  });
  const scalar = (value: number): HostTensor => ({ dtype: "f32", dims: [], data: Float32Array.of(value) });
  const feeds = (at: number) => {
    const next = generator(100 + at);
    return {
      image: {
        dtype: "f32",
        dims: [batch, 2, 8, 8],
        data: Float32Array.from({ length: batch * 128 }, next),
      } as HostTensor,
      labels: {
        dtype: "i32",
        dims: [batch],
        data: Int32Array.from({ length: batch }, () => Math.floor(next() * 5)),
      } as HostTensor,
      lr: scalar(1e-2),
      step: scalar(at),
    };
  };
  return { graph: simplify(b.graph("network", outputs)), state, feeds };
}

/** Relative offset of each of 16 × 16 pairs, as an index from 0. */
function offsets(): number[] {
  return Array.from({ length: 256 }, (_, i) => Math.floor(i / 16) - (i % 16) + 15);
}
