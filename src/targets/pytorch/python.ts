/** Python text: names, literals, indentation. */

const keywords = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for from " +
    "global if import in is lambda nonlocal not or pass raise return try while with yield"
  ).split(" "),
);

/** Names that generated code uses itself: a variable of such a name would hide it. */
const taken = new Set(["self", "torch", "nn", "F", "Tensor", "math", "super", "range", "zip"]);

/** Functions that emissions bring along (test/targets/pytorch.test.ts finds one that is missing). */
export const functions: ReadonlySet<string> = new Set(
  (
    "affine aol as_matrix avg_pool1d avg_pool2d bjorck convolution convolution_bound cuts depth_to_space " +
    "depth_to_space_by_columns drop_path extend fans fixpoint frobenius from_grid from_windows " +
    "frequency_grid full_precision gram group_sort hermitian_norms into_grid into_windows inverse_root join_heads kaiming_normal_ l1 " +
    "max_min max_pool1d max_pool2d operator orthogonal_ pairwise_sum polar product project project_tokens relative_positions " +
    "rms roll_channels rotate scale_to_one_ scan seen_in_shifted_windows selu shift shift_channels " +
    "space_to_depth space_to_depth_by_columns spectral spectral_ spectral_bound split_heads symbol_bound trunc_normal_ " +
    "unit unit_or_less unit_or_shorter unit_rms unit_rows within xavier_normal_"
  ).split(" "),
);

/**
 * What `torch.nn.Module` has itself: a child of that name would be hidden behind it, or refused by PyTorch.
 * Source: dir(torch.nn.Module()) of PyTorch 1.13 and 2.15, without names that begin with an underscore.
 */
const moduleNames = new Set(
  (
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches " +
    "eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict " +
    "modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook " +
    "register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook " +
    "register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook " +
    "register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ " +
    "set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad " +
    "initialise reset_parameters project_parameters"
  ).split(" "),
);

/** Why a part of a weight's path can't be an attribute of a module, or null. */
export function badAttribute(name: string): string | null {
  if (keywords.has(name)) return `\`${name}\` is a word of Python's own`;
  if (moduleNames.has(name)) return `torch.nn.Module has a \`${name}\` of its own`;
  if (name.normalize("NFKC") !== name)
    return `Python reads \`${name}\` as \`${name.normalize("NFKC")}\`, another name`;
  return null;
}

/** A name for a variable or an argument. */
export function variable(name: string): string {
  const plain = name.normalize("NFKC");
  return keywords.has(plain) || taken.has(plain) || functions.has(plain) ? `${plain}_` : plain;
}

export function integer(x: number): string {
  return String(x);
}

/** The shortest text that Python reads as this float64. */
export function float(x: number): string {
  const text = String(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

export function floats(list: readonly number[]): string {
  return `[${list.map(float).join(", ")}]`;
}

export function indent(lines: readonly string[], levels = 1): string[] {
  return lines.map((line) => (line === "" ? "" : "    ".repeat(levels) + line));
}

/** Text between triple quotes. */
export function docstring(lines: readonly string[]): string[] {
  const safe = lines.map((line) => line.replaceAll("\\", "\\\\").replaceAll('"""', "'''"));
  if (safe.length === 1) return [`"""${safe[0]}"""`];
  return [`"""${safe[0]}`, ...safe.slice(1), `"""`];
}

/** The longest line that generated code aims at. */
export const width = 100;
