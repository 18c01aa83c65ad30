/** Names of the authors' released LipsFormer checkpoints (facts: their state_dict), and ours. One table, both ways. */

/** The authors' names inside a block, and ours. */
const inBlock: readonly (readonly [theirs: string, ours: string])[] = [
  ["dwconv_layers.0.weight", "depthwise_conv.weight"],
  ["dwconv_layers.0.bias", "depthwise_conv.bias"],
  ["dwconv_layers.1.weight", "depthwise_conv_2.weight"],
  ["dwconv_layers.1.bias", "depthwise_conv_2.bias"],
  ["nin.weight", "linear.weight"],
  ["nin.bias", "linear.bias"],
  ["scale_layers.0.scale", "weighted.residual.alpha"],
  ["scale_layers.1.scale", "weighted_2.residual.alpha"],
  ["alpha1.scale", "weighted_3.residual.alpha"],
  ["alpha2.scale", "weighted_4.residual.alpha"],
  ["attn.qkv.weight", "attention.linear.weight"],
  ["attn.qkv.bias", "attention.linear.bias"],
  ["attn.proj.weight", "attention.linear_2.weight"],
  ["attn.proj.bias", "attention.linear_2.bias"],
  ["attn.relative_position_bias_table", "attention.attend.position"],
  ["norm1.weight", "center_norm.gamma"],
  ["norm1.bias", "center_norm.beta"],
  ["norm2.weight", "center_norm_2.gamma"],
  ["norm2.bias", "center_norm_2.beta"],
  ["mlp.fc1.weight", "mlp.linear.weight"],
  ["mlp.fc1.bias", "mlp.linear.bias"],
  ["mlp.fc2.weight", "mlp.linear_2.weight"],
  ["mlp.fc2.bias", "mlp.linear_2.bias"],
];

/** Names with numbers, in order: stage, then block. */
const patterns: readonly (readonly [theirs: string, ours: string])[] = [
  ...inBlock.map(([theirs, ours]) => [`layers.#.blocks.#.${theirs}`, `lips_block.#.#.${ours}`] as const),
  ["layers.#.downsample.norm.weight", "patch_merging.#.norm.gamma"],
  ["layers.#.downsample.norm.bias", "patch_merging.#.norm.beta"],
  ["layers.#.downsample.reduction.weight", "patch_merging.#.linear.weight"],
  ["patch_embed.proj.weight", "patch_embed.conv.weight"],
  ["patch_embed.proj.bias", "patch_embed.conv.bias"],
  ["patch_embed.norm.weight", "center_norm.gamma"],
  ["patch_embed.norm.bias", "center_norm.beta"],
  ["norm.weight", "center_norm_2.gamma"],
  ["norm.bias", "center_norm_2.beta"],
  ["head.weight", "linear.weight"],
  ["head.bias", "linear.bias"],
];

const toOurs = new Map(patterns);
const toTheirs = new Map(patterns.map(([theirs, ours]) => [ours, theirs] as const));

/** `layers.1.blocks.0.attn.qkv.weight` → `lips_block.1.0.attention.linear.weight`; null: not in the table. */
export function ourName(theirs: string): string | null {
  return rename(theirs, toOurs);
}

export function theirName(ours: string): string | null {
  return rename(ours, toTheirs);
}

/** Numbers that stand as whole parts of a name are looked up as `#`, but for those of the authors' lists of two. */
function rename(name: string, table: ReadonlyMap<string, string>): string | null {
  const numbers: string[] = [];
  const key = name
    .split(".")
    .map((part, i, parts) => {
      if (!/^\d+$/.test(part) || /^(dwconv|scale)_layers$/.test(parts[i - 1])) return part;
      numbers.push(part);
      return "#";
    })
    .join(".");
  return table.get(key)?.replace(/#/g, () => numbers.shift() ?? "") ?? null;
}

/** Buffers that a model of PyTorch keeps beside its weights: tables that we make from the spec. */
export function isBuffer(theirs: string): boolean {
  return /\.(relative_position_index|attn_mask|relative_coords_table)$/.test(theirs);
}
