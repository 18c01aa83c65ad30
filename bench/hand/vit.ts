/** The bench's vision transformer, built by hand with the graph's own tools: for trying formulations. */
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { gradients } from "../../src/graph/autodiff.ts";
import { crossEntropy } from "../../src/graph/loss.ts";
import type { Graph } from "../../src/graph/graph.ts";

export interface VitOptions {
  readonly batch: number;
  readonly tokens?: number;
  readonly attention?: "slice" | "three" | "permute";
}

export function buildVit(options: VitOptions): { graph: Graph; shapes: Map<string, readonly number[]> } {
  const { batch } = options;
  const [tokens, channels, heads, depth, patch, classes] = [49, 96, 3, 6, 16, 10];
  const rows = batch * tokens;
  const width = channels / heads;
  const b = new Builder();
  const shapes = new Map<string, readonly number[]>();
  const parameters: { name: string; tensor: Tensor }[] = [];
  const parameter = (name: string, shape: readonly number[]): Tensor => {
    shapes.set(name, shape);
    const tensor = b.input(name, shape);
    parameters.push({ name, tensor });
    return tensor;
  };
  const linear = (x: Tensor, name: string, out: number): Tensor => {
    const w = parameter(`${name}.weight`, [out, x.shape[1]]);
    const bias = parameter(`${name}.bias`, [out]);
    return b.add(b.matmul(x, w, false, true), bias);
  };
  const layerNorm = (x: Tensor, name: string): Tensor => {
    const d = x.shape[1];
    const centred = b.sub(x, b.mean(x, [1], true));
    const variance = b.mean(b.mul(centred, centred), [1], true);
    const unit = b.div(centred, b.sqrt(b.add(variance, 1e-5)));
    return b.add(b.mul(unit, parameter(`${name}.scale`, [d])), parameter(`${name}.shift`, [d]));
  };
  const split = (x: Tensor): Tensor => b.transpose(b.reshape(x, [batch, tokens, heads, width]), [0, 2, 1, 3]);
  const unit = (x: Tensor): Tensor => b.div(x, b.sqrt(b.add(b.sum(b.mul(x, x), [x.shape.length - 1], true), 1e-2)));
  const attention = (x: Tensor, name: string): Tensor => {
    const qkv = linear(x, `${name}.qkv`, 3 * channels);
    let q: Tensor, k: Tensor, v: Tensor;
    if (options.attention === "permute") {
      const all = b.transpose(b.reshape(qkv, [batch, tokens, 3, heads, width]), [2, 0, 3, 1, 4]);
      [q, k, v] = [0, 1, 2].map((i) => b.reshape(b.slice(all, 0, i, i + 1), [batch, heads, tokens, width]));
    } else {
      [q, k, v] = [0, 1, 2].map((i) => split(b.slice(qkv, 1, i * channels, (i + 1) * channels)));
    }
    const scores = b.mul(b.matmul(unit(q), unit(k), false, true), 10);
    const mixed = b.matmul(b.softmax(scores), v);
    return linear(b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [rows, channels]), `${name}.out`, channels);
  };

  const image = b.input("data/image", [rows, patch]);
  const labels = b.input("data/labels", [batch], "i32");
  b.origin = "embed";
  let x = linear(image, "embed", channels);
  const position = parameter("position", [tokens, channels]);
  x = b.reshape(b.add(b.reshape(x, [batch, tokens, channels]), position), [rows, channels]);
  for (let i = 0; i < depth; i++) {
    b.origin = `blocks.${i}.attention`;
    x = b.add(x, attention(layerNorm(x, `blocks.${i}.norm1`), `blocks.${i}.attention`));
    b.origin = `blocks.${i}.mlp`;
    const hidden = b.gelu(linear(layerNorm(x, `blocks.${i}.norm2`), `blocks.${i}.expand`, 4 * channels));
    x = b.add(x, linear(hidden, `blocks.${i}.shrink`, channels));
  }
  b.origin = "head";
  const pooled = b.mean(b.reshape(layerNorm(x, "norm"), [batch, tokens, channels]), [1]);
  const logits = linear(pooled, "head", classes);
  b.origin = "loss";
  const { loss, stop } = crossEntropy(b, logits, labels, 0.1);
  const grads = gradients(b, loss, parameters.map((p) => p.tensor), { stop });

  b.origin = "adamw";
  const outputs = [{ name: "loss", tensor: loss }];
  const lr = b.input("lr", []);
  const [c1, c2] = [b.input("c1", []), b.input("c2", [])];
  parameters.forEach(({ name, tensor }, i) => {
    const g = grads[i];
    const m = b.input(`m/${name}`, tensor.shape);
    const v = b.input(`v/${name}`, tensor.shape);
    shapes.set(`m/${name}`, tensor.shape);
    shapes.set(`v/${name}`, tensor.shape);
    const m2 = b.add(b.mul(m, 0.9), b.mul(g, 0.1));
    const v2 = b.add(b.mul(v, 0.999), b.mul(b.mul(g, g), 0.001));
    const step = b.div(b.mul(m2, c1), b.add(b.sqrt(b.mul(v2, c2)), 1e-8));
    const decayed = b.mul(tensor, b.sub(1, b.mul(lr, 0.05)));
    outputs.push({ name, tensor: b.sub(decayed, b.mul(step, lr)) });
    outputs.push({ name: `m/${name}`, tensor: m2 }, { name: `v/${name}`, tensor: v2 });
  });
  return { graph: b.graph("vit", outputs), shapes };
}
