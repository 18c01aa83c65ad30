/**
 * Attend: a class for each combination of options that a model uses, written as one would write that attention alone.
 * The pieces stand in the order of the forward pass: regions, heads, scores, offsets, the mean, and back.
 */
import type { AttendConfig } from "../../../layers/attend/config.ts";
import type { Emission, EmitContext, Helper } from "../emission.ts";
import { coefficientOf } from "../emission.ts";
import { conv2d, constrainedConv2d } from "./linear.ts";
import { guarded, shortest, unit } from "./norms.ts";
import { times } from "./parts.ts";

const splitHeads: Helper = {
  name: "split_heads",
  source: `
def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., tokens, c] -> [..., heads, tokens, c/heads]"""
    return x.unflatten(-1, (heads, x.shape[-1] // heads)).transpose(-2, -3)`.trim(),
};
const joinHeads: Helper = {
  name: "join_heads",
  source: `
def join_heads(x: Tensor) -> Tensor:
    """[..., heads, tokens, c/heads] -> [..., tokens, c]"""
    return x.transpose(-2, -3).flatten(-2)`.trim(),
};
const intoWindows: Helper = {
  name: "into_windows",
  source: `
def into_windows(x: Tensor, rows: int, columns: int) -> Tensor:
    """[batch, h, w, c] -> [batch, windows, rows·columns, c]"""
    _, h, w, _ = x.shape
    x = x.unflatten(2, (w // columns, columns)).unflatten(1, (h // rows, rows))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)`.trim(),
};
const fromWindows: Helper = {
  name: "from_windows",
  source: `
def from_windows(x: Tensor, height: int, width: int, rows: int, columns: int) -> Tensor:
    """[batch, windows, rows·columns, c] -> [batch, height, width, c]"""
    x = x.unflatten(2, (rows, columns)).unflatten(1, (height // rows, width // columns))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)`.trim(),
};
const intoGrid: Helper = {
  name: "into_grid",
  source: `
def into_grid(x: Tensor, size: int) -> Tensor:
    """[batch, h, w, c] -> [batch, size², h·w/size², c]: tokens at the same place of every size x size patch."""
    _, h, w, _ = x.shape
    x = x.unflatten(2, (w // size, size)).unflatten(1, (h // size, size))
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3, 4).flatten(1, 2)`.trim(),
};
const fromGrid: Helper = {
  name: "from_grid",
  source: `
def from_grid(x: Tensor, height: int, width: int, size: int) -> Tensor:
    """The inverse of into_grid."""
    x = x.unflatten(2, (height // size, width // size)).unflatten(1, (size, size))
    return x.permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)`.trim(),
};
const relativePositions: Helper = {
  name: "relative_positions",
  source: `
def relative_positions(rows: int, columns: int) -> Tensor:
    """[tokens, tokens]: the row of the table of relative positions for query i and key j (arXiv 2103.14030)."""
    token = torch.arange(rows * columns)
    y, x = token // columns, token % columns
    down = y[:, None] - y + rows - 1
    right = x[:, None] - x + columns - 1
    return down * (2 * columns - 1) + right`.trim(),
};
const shiftedWindows: Helper = {
  name: "seen_in_shifted_windows",
  needs: [intoWindows],
  source: `
def seen_in_shifted_windows(height: int, width: int, window: int, shift: int) -> Tensor:
    """[windows, 1, tokens, tokens]: whether two tokens of a window of the rolled map come from the same edge."""
    below = (torch.arange(height) >= height - shift).long()
    right = (torch.arange(width) >= width - shift).long()
    edge = (2 * below[:, None] + right)[None, :, :, None]
    edge = into_windows(edge, window, window)[0, :, :, 0]
    return (edge[:, :, None] == edge[:, None, :])[:, None]`.trim(),
};
const rotary: Helper = {
  name: "rotate",
  source: `
def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions (arXiv 2104.09864): token t turns the pair (i, i + half) by t·10000^(-i/half)."""
    a, b = x.chunk(2, dim=-1)
    cosine, sine = cosine[: x.shape[-2]], sine[: x.shape[-2]]
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], dim=-1)`.trim(),
};

/** What the pieces below add to. */
interface Draft {
  readonly context: EmitContext;
  readonly config: AttendConfig;
  readonly needs: Set<Helper>;
  readonly parameters: [name: string, type: string, value: string][];
  readonly init: string[];
  readonly forward: string[];
}

/** A helper that the class needs. */
function need(draft: Draft, helper: Helper): string {
  draft.needs.add(helper);
  return helper.name;
}

/** A matrix product in the forward pass. */
function matmul(draft: Draft, a: string, b: string): string {
  return times({ ...draft.context, use: (helper) => need(draft, helper) }, a, b);
}

/** A constructor argument that is kept; gives its expression. */
function kept(draft: Draft, name: string, type: string, value: string): string {
  draft.parameters.push([name, type, value]);
  draft.init.push(`self.${name} = ${name}`);
  return `self.${name}`;
}

/** A coefficient for all heads, or one for each, to multiply [..., heads, tokens, channels] by. */
function coefficient(draft: Draft, name: string, value: unknown): string {
  const { context } = draft;
  const c = coefficientOf(value as never);
  if (c.kind === "constant") return kept(draft, name, "float", context.float(c.value, name));
  const perHead = context.shape(name).length === 1;
  draft.init.push(`self.${name} = nn.Parameter(torch.ones(${perHead ? "heads" : "()"}))`);
  return perHead ? `self.${name}[:, None, None]` : `self.${name}`;
}

interface Region {
  /** Python expressions of a group's rows and columns. */
  readonly rows: string;
  readonly columns: string;
  /** Of q, k and v. */
  readonly into: ((x: string) => string) | null;
  readonly back: ((x: string) => string) | null;
  readonly words: string;
  readonly name: string;
}

function region(draft: Draft): Region {
  const { context, config } = draft;
  const [shape] = context.shapes;
  const { over } = config;
  const map = shape.length === 3;
  if (over.kind === "global") {
    const words = "over all tokens";
    if (shape.length === 1) {
      return {
        rows: "1",
        columns: "1",
        into: (x) => `${x}[:, None]`,
        back: (x) => `${x}.squeeze(1)`,
        words,
        name: "",
      };
    }
    return {
      rows: map ? "height" : "tokens",
      columns: map ? "width" : "1",
      into: map ? (x) => `${x}.flatten(1, 2)` : null,
      back: map ? (x) => `${x}.unflatten(1, (height, width))` : null,
      words,
      name: "",
    };
  }
  if (over.kind === "grid") {
    const size = kept(draft, "size", "int", context.int(over.size, "size"));
    return {
      rows: "(height // self.size)",
      columns: "(width // self.size)",
      into: (x) => `${need(draft, intoGrid)}(${x}, ${size})`,
      back: (x) => `${need(draft, fromGrid)}(${x}, height, width, ${size})`,
      words: "of tokens at the same place of size x size patches",
      name: "Grid",
    };
  }
  const size =
    over.kind === "windows"
      ? kept(draft, "window", "int", context.int(over.size, "window"))
      : kept(draft, "stripe", "int", context.int(over.width, "stripe"));
  const [rows, columns] =
    over.kind === "windows"
      ? [size, size]
      : over.direction === "horizontal"
        ? [size, "width"]
        : ["height", size];
  const named =
    over.kind === "windows"
      ? "Window"
      : over.direction === "horizontal"
        ? "HorizontalStripe"
        : "VerticalStripe";
  const shifted = over.kind === "windows" && over.shift > 0;
  return {
    rows,
    columns,
    into: (x) => `${need(draft, intoWindows)}(${x}, ${rows}, ${columns})`,
    back: (x) => `${need(draft, fromWindows)}(${x}, height, width, ${rows}, ${columns})`,
    words:
      over.kind === "windows"
        ? `inside windows of window x window tokens${shifted ? ", of the map rolled up and left by shift" : ""}`
        : `inside stripes of ${over.direction === "horizontal" ? "`stripe` rows" : "`stripe` columns"}`,
    name: shifted ? `Shifted${named}` : named,
  };
}

/** Scores of queries and keys, which are split into heads already. */
function scores(draft: Draft): string[] {
  const { context, config } = draft;
  const { score } = config;
  const keys = "k.transpose(-2, -1)";
  if (score.kind === "dot") {
    const scale = coefficient(draft, "scale", score.scale);
    return [`scores = ${matmul(draft, `${scale} * q`, keys)}`];
  }
  if (score.kind === "cosine") {
    const tau = coefficient(draft, "tau", score.tau);
    const squared = score.guard === "max" && score.eps * score.eps >= 2 ** -126;
    const eps = squared
      ? kept(draft, "floor", "float", context.float(squareUp(score.eps), "floor"))
      : kept(draft, "eps", "float", context.float(score.eps, "eps"));
    const f = need(draft, score.guard === "root" ? unit : squared ? guarded : shortest);
    return [`scores = ${matmul(draft, `${tau} * ${f}(q, ${eps})`, `${f}(k, ${eps}).transpose(-2, -1)`)}`];
  }
  const beta = coefficient(draft, "scale", score.scale);
  return [
    `# -scale·‖q - k‖² up to a term that is the same for all keys`,
    `scores = 2.0 * ${beta} * (${matmul(draft, "q", keys)}) - ${beta} * k.square().sum(dim=-1).unsqueeze(-2)`,
  ];
}

/** eps² in float32, rounded up: the stored guard is never below eps (src/layers/attend/lower.ts). */
function squareUp(eps: number): number {
  const least = eps * eps;
  const nearest = Math.fround(least);
  return nearest >= least ? nearest : Math.fround(least * (1 + 2 ** -23));
}

/** Adds the table of positions and takes out the keys that a query doesn't see. */
function offsets(draft: Draft, rows: string, columns: string): string[] {
  const { context, config } = draft;
  const lines: string[] = [];
  const local = (text: string): string => text.replaceAll("self.", "");
  if (config.position === "relative") {
    const [length] = context.shape("position");
    draft.init.push(
      `self.position = nn.Parameter(torch.zeros((2 * ${local(rows)} - 1) * (2 * ${local(columns)} - 1), heads))`,
      `index = ${need(draft, relativePositions)}(${local(rows)}, ${local(columns)})`,
      `self.register_buffer("index", index, persistent=False)`,
    );
    if (length < 1) throw new Error("a table of positions without rows");
    lines.push("scores = scores + self.position[self.index].permute(2, 0, 1)");
  }
  const { over } = config;
  const seen: string[] = [];
  if (over.kind === "windows" && over.shift > 0)
    seen.push(`${need(draft, shiftedWindows)}(height, width, window, shift)`);
  if (config.causal)
    seen.push(
      `torch.ones(${local(rows)} * ${local(columns)}, ${local(rows)} * ${local(columns)}, dtype=torch.bool).tril()`,
    );
  if (seen.length > 0) {
    draft.init.push(`self.register_buffer("seen", ${seen.join(" & ")}, persistent=False)`);
    lines.push(`scores = scores.masked_fill(~self.seen, float("-inf"))`);
  }
  return lines;
}

/** The class of one configuration. */
function classOf(context: EmitContext): { helper: Helper; args: string } {
  const config = context.config as unknown as AttendConfig;
  const draft: Draft = { context, config, needs: new Set(), parameters: [], init: [], forward: [] };
  const { over, values, score } = config;
  const [q, , v] = context.shapes;
  kept(draft, "heads", "int", context.int(config.heads, "heads"));
  const r = region(draft);
  const shifted = over.kind === "windows" && over.shift > 0;
  // Sizes of the map, where tables or masks are made of them.
  const tables = config.position === "relative" || config.causal || shifted || config.position === "rotary";
  const sized = tables && /height|width|tokens/.test(`${r.rows} ${r.columns}${shifted ? " height" : ""}`);
  if (sized || config.position === "rotary") {
    const names = q.length === 3 ? (["height", "width"] as const) : (["tokens"] as const);
    names.forEach((name, i) => draft.parameters.push([name, "int", context.int(q[i], name)]));
  }
  const { forward } = draft;
  const all = (text: (x: string) => string): string => `q, k, v = [${text("x")} for x in (q, k, v)]`;
  if (shifted) {
    const shift = kept(draft, "shift", "int", context.int(over.shift, "shift"));
    forward.push(all((x) => `torch.roll(${x}, (-${shift}, -${shift}), (1, 2))`));
  }
  if (r.back && q.length === 3) forward.push("_, height, width, _ = q.shape");
  if (r.into) forward.push(all(r.into));
  if (config.local) {
    const constraint = context.constraint("local.weight");
    const conv = need(draft, (constraint ? constrainedConv2d : conv2d)(context));
    const { kernel, bias } = config.local;
    draft.parameters.push(["channels", "int", context.channels(v[v.length - 1], "channels")]);
    draft.init.push(
      `self.local = ${conv}(channels, channels, ${kernel}, padding=${(kernel - 1) / 2}, groups=channels` +
        `${bias ? "" : ", bias=False"}${constraint ? `, constraint=${constraint}` : ""})`,
    );
    const image = over.kind === "global" ? `v.unflatten(1, (${r.rows}, ${r.columns}))` : null;
    forward.push(
      image
        ? `local = self.local(${image}).flatten(1, 2)`
        : `local = self.local(v.flatten(0, 1).unflatten(1, (${r.rows}, ${r.columns})))`,
    );
    if (!image) forward.push("local = local.flatten(1, 2).unflatten(0, v.shape[:2])");
  }
  forward.push(all((x) => `${need(draft, splitHeads)}(${x}, self.heads)`));
  if (config.position === "rotary") {
    draft.parameters.push(["half", "int", context.int(q[1] / config.heads / 2, "half")]);
    draft.init.push(
      "angle = torch.arange(tokens, dtype=torch.float64)[:, None]",
      "angle = angle * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)",
      `self.register_buffer("cosine", angle.cos().float(), persistent=False)`,
      `self.register_buffer("sine", angle.sin().float(), persistent=False)`,
    );
    const f = need(draft, rotary);
    forward.push(`q, k = ${f}(q, self.cosine, self.sine), ${f}(k, self.cosine, self.sine)`);
  }
  forward.push(...scores(draft));
  forward.push(...offsets(draft, r.rows, r.columns));
  if (values.kind === "unit") {
    const nu = coefficient(draft, "nu", values.nu);
    const eps = kept(draft, "values_eps", "float", context.float(values.eps, "values_eps"));
    forward.push(`v = ${nu} * ${need(draft, unit)}(v, ${eps})`);
  }
  forward.push(
    `y = ${need(draft, joinHeads)}(${matmul(draft, "scores.softmax(dim=-1)", "v")})${config.local ? " + local" : ""}`,
  );
  if (r.back) forward.push(`y = ${r.back("y")}`);
  if (shifted) forward.push("y = torch.roll(y, (self.shift, self.shift), (1, 2))");
  forward.push("return y");

  const kind = { dot: "Dot", cosine: "Cosine", distance: "Distance" }[score.kind];
  const name = `${config.causal ? "Causal" : ""}${kind}${r.name}Attention`;
  const formula = {
    dot: "scale·q·k",
    cosine: `tau·q̂·k̂ with ẑ = ${formulaOf(score)}`,
    distance: "-scale·‖q - k‖²",
  }[score.kind];
  const notes = [
    `scores are ${formula}`,
    ...(config.position === "relative" ? ["plus a learned table of relative positions"] : []),
    ...(config.position === "rotary" ? ["after rotary positions"] : []),
    ...(values.kind === "unit" ? ["values are nu·v/√(‖v‖² + values_eps)"] : []),
    ...(config.local ? ["`local` convolves the values inside each group (LePE)"] : []),
  ];
  const shape = ["[batch, c]", "[batch, n, c]", "[batch, h, w, c]"][q.length - 1];
  const doc = [
    `"""Multi-head attention ${r.words}.`,
    "",
    `q, k, v: ${shape} -> ${shape}.`,
    ...wrap(`For each head ${notes.join("; ")}.`),
    `"""`,
  ];
  const source = [
    `class ${name}(nn.Module):`,
    ...doc.map((line) => (line === "" ? "" : `    ${line}`)),
    "",
    `    def __init__(self, ${draft.parameters.map(([n, type]) => `${n}: ${type}`).join(", ")}):`,
    "        super().__init__()",
    ...draft.init.map((line) => `        ${line}`),
    "",
    "    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:",
    ...forward.map((line) => `        ${line}`),
  ].join("\n");
  const args = draft.parameters.map(([n, , value]) => `${n}=${value}`).join(", ");
  return { helper: { name, source, needs: [...draft.needs] }, args };
}

function formulaOf(score: AttendConfig["score"]): string {
  if (score.kind !== "cosine" || score.guard === "root") return "z/√(‖z‖² + eps)";
  return score.eps * score.eps >= 2 ** -126 ? "z/√max(‖z‖², floor)" : "z/max(‖z‖, eps)";
}

/** Lines of at most 92 characters. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && `${last} ${word}`.length <= 92) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export function emitAttend(context: EmitContext): Emission {
  const { helper, args } = classOf(context);
  return { module: `${context.use(helper)}(${args})`, call: `${context.self}(${context.inputs.join(", ")})` };
}
