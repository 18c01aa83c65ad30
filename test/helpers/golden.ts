/** The released LipsFormer's golden vectors (facts: fixtures/golden), under our weights' paths. */
import { readFileSync } from "node:fs";
import { readSafetensors, type StoredTensor } from "../../src/runtime/safetensors.ts";

export const goldenSpec = "test/fixtures/lipsformer-swin-released-mini.lips";
const goldenFile = "test/fixtures/golden/lipsformer-swin-released-mini.safetensors";
const gradientsFile = "test/fixtures/golden/lipsformer-swin-released-mini-gradients.safetensors";

/** The authors' names inside a block, and ours. */
const inBlock: Readonly<Record<string, string>> = {
  "dwconv_layers.0": "depthwise_conv",
  "dwconv_layers.1": "depthwise_conv_2",
  nin: "linear",
  "scale_layers.0.scale": "weighted.residual.alpha",
  "scale_layers.1.scale": "weighted_2.residual.alpha",
  "alpha1.scale": "weighted_3.residual.alpha",
  "alpha2.scale": "weighted_4.residual.alpha",
  "attn.qkv": "attention.linear",
  "attn.proj": "attention.linear_2",
  "attn.relative_position_bias_table": "attention.attend.position",
  norm1: "center_norm",
  norm2: "center_norm_2",
  "mlp.fc1": "mlp.linear",
  "mlp.fc2": "mlp.linear_2",
};
const outside: Readonly<Record<string, string>> = {
  "patch_embed.proj": "patch_embed.conv",
  "patch_embed.norm": "center_norm",
  norm: "center_norm_2",
  head: "linear",
};

/** `layers.1.blocks.0.attn.qkv.weight` → `lips_block.1.0.attention.linear.weight`. */
export function ourPath(authors: string): string {
  const [, module, kind] = /^(.*)\.(weight|bias|scale|relative_position_bias_table)$/.exec(authors) ?? [
    "",
    authors,
    "",
  ];
  const whole = kind === "weight" || kind === "bias" ? module : `${module}.${kind}`;
  const block = /^layers\.(\d+)\.blocks\.(\d+)\.(.*)$/.exec(whole);
  const merging = /^layers\.(\d+)\.downsample\.(norm|reduction)$/.exec(whole);
  const ours = block
    ? `lips_block.${block[1]}.${block[2]}.${inBlock[block[3]]}`
    : merging
      ? `patch_merging.${merging[1]}.${merging[2] === "norm" ? "norm" : "linear"}`
      : outside[whole];
  if (kind === "scale" || kind === "relative_position_bias_table") return ours;
  const norm = /(^|[._])norm(_2)?$/.test(ours);
  return `${ours}.${norm ? (kind === "weight" ? "gamma" : "beta") : kind}`;
}

export interface Golden {
  /** By our paths. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** By PyTorch's autograd in float64 (scripts/golden-gradients.py). */
  readonly gradients: ReadonlyMap<string, StoredTensor>;
  /**
   * As the released file has them. Behind the two convolutional branches they are not the gradients of its
   * own loss: central differences differ from them by up to 100 %, and agree with `gradients` (golden.test.ts
   * shows both).
   */
  readonly released: ReadonlyMap<string, StoredTensor>;
  /** [batch, h, w, c], from the file's NCHW. */
  readonly input: { readonly shape: readonly number[]; readonly data: Float64Array };
  readonly labels: readonly number[];
  readonly logits: StoredTensor;
  readonly loss: number;
}

function tensorsOf(name: string): ReadonlyMap<string, StoredTensor> {
  const file = readSafetensors(new Uint8Array(readFileSync(name)), name);
  if (!file.ok) throw new Error(file.problem.message);
  return file.value.tensors;
}

export function readGolden(): Golden {
  const tensors = tensorsOf(goldenFile);
  const tensor = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (!found) throw new Error(`no tensor ${name}`);
    return found;
  };
  const under = (prefix: string, from = tensors): Map<string, StoredTensor> =>
    new Map(
      [...from]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [ourPath(name.slice(prefix.length)), t]),
    );
  const input = tensor("input");
  const [n, c, h, w] = input.shape;
  const data = new Float64Array(n * h * w * c);
  for (let b = 0; b < n; b++) {
    for (let k = 0; k < c; k++) {
      for (let i = 0; i < h * w; i++)
        data[(b * h * w + i) * c + k] = Number(input.data[(b * c + k) * h * w + i]);
    }
  }
  return {
    weights: under("weight/"),
    gradients: under("grad/", tensorsOf(gradientsFile)),
    released: under("grad/"),
    input: { shape: [n, h, w, c], data },
    labels: Array.from(tensor("labels").data, Number),
    logits: tensor("logits"),
    loss: Number(tensor("loss").data[0]),
  };
}
