/** Layers that move, join and cut values. */
import type { Emit, Helper } from "../emission.ts";
import { floats } from "../python.ts";

const normalize: Helper = {
  name: "Normalize",
  source: `
class Normalize(nn.Module):
    """(x - mean)·scale, channel by channel; scale is one over the deviation."""

    def __init__(self, mean: list[float], scale: list[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) * self.scale`.trim(),
};

function spaceToDepth(columns: boolean): Helper {
  const name = columns ? "space_to_depth_by_columns" : "space_to_depth";
  const order = columns ? "0, 1, 3, 4, 2, 5" : "0, 1, 3, 2, 4, 5";
  return {
    name,
    source: `
def ${name}(x: Tensor, size: int) -> Tensor:
    """[batch, h, w, c] -> [batch, h/size, w/size, size²·c]: neighbours joined ${columns ? "column by column" : "row by row"}."""
    _, h, w, _ = x.shape
    x = x.unflatten(2, (w // size, size)).unflatten(1, (h // size, size))
    return x.permute(${order}).flatten(3)`.trim(),
  };
}

function depthToSpace(columns: boolean): Helper {
  const name = columns ? "depth_to_space_by_columns" : "depth_to_space";
  const order = columns ? "0, 1, 4, 2, 3, 5" : "0, 1, 3, 2, 4, 5";
  return {
    name,
    source: `
def ${name}(x: Tensor, size: int) -> Tensor:
    """[batch, h, w, size²·c] -> [batch, size·h, size·w, c]: the inverse of joining ${columns ? "column by column" : "row by row"}."""
    x = x.unflatten(3, (size, size, x.shape[3] // size**2))
    return x.permute(${order}).flatten(3, 4).flatten(1, 2)`.trim(),
  };
}

const shiftMap: Helper = {
  name: "shift",
  source: `
def shift(x: Tensor, dy: int, dx: int) -> Tensor:
    """Moves a map [batch, h, w, c] dy rows down and dx columns right; zeros come in at the edge."""
    return F.pad(x, (0, 0, dx, -dx, dy, -dy))`.trim(),
};

const shiftChannels = (circular: boolean): Helper => ({
  name: circular ? "roll_channels" : "shift_channels",
  needs: circular ? [] : [shiftMap],
  source: `
def ${circular ? "roll_channels" : "shift_channels"}(x: Tensor, count: int) -> Tensor:
    """Four groups of \`count\` channels move by one position: left, right, up, down; the others stay."""
    left, right, up, down = (x[..., i * count : (i + 1) * count] for i in range(4))
    moved = [${
      circular
        ? "left.roll(-1, 2), right.roll(1, 2), up.roll(-1, 1), down.roll(1, 1)"
        : "shift(left, 0, -1), shift(right, 0, 1), shift(up, -1, 0), shift(down, 1, 0)"
    }]
    return torch.cat([*moved, x[..., 4 * count :]], dim=-1)`.trim(),
});

const extend: Helper = {
  name: "extend",
  source: `
def extend(x: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    """More positions before and after those of one axis; what they hold says \`mode\`."""
    n = x.shape[dim]
    at = torch.arange(-before, n + after, device=x.device)
    if mode == "replicate":
        at = at.clamp(0, n - 1)
    elif mode == "circular":
        at = at % n
    elif mode == "reflect":
        at = (n - 1) - ((n - 1) - at.abs()).abs()
    else:  # symmetric
        at = torch.where(at < 0, -1 - at, at)
        at = torch.where(at >= n, 2 * n - 1 - at, at)
    return x.index_select(dim, at)`.trim(),
};

const learned: Helper = {
  name: "Learned",
  source: `
class Learned(nn.Module):
    """A learned value, the same for every sample: [batch, *shape]."""

    def __init__(self, *shape: int):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(shape))

    def forward(self, batch: int) -> Tensor:
        return self.value.expand(batch, *self.value.shape)`.trim(),
};

interface Sides {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export const structure: Readonly<Record<string, Emit>> = {
  Normalize: ({ config, inputs, self, use }) => ({
    module: `${use(normalize)}(${floats(config.mean as number[])}, ${floats(config.scale as number[])})`,
    call: `${self}(${inputs[0]})`,
  }),
  Flatten: ({ config, inputs: [x], shapes }) => ({
    call: config.what === "all" ? `${x}.flatten(1)` : shapes[0].length === 3 ? `${x}.flatten(1, 2)` : `${x}`,
  }),
  SpaceToDepth: ({ config, inputs, use, int }) => ({
    call: `${use(spaceToDepth(config.order === "columns"))}(${inputs[0]}, ${int(config.size as number, "size")})`,
  }),
  DepthToSpace: ({ config, inputs, use, int }) => ({
    call: `${use(depthToSpace(config.order === "columns"))}(${inputs[0]}, ${int(config.size as number, "size")})`,
  }),
  Shift: ({ config, inputs: [x], use, int }) => {
    const [dy, dx] = [int(config.dy as number, "dy"), int(config.dx as number, "dx")];
    if (config.mode === "circular") return { call: `torch.roll(${x}, (${dy}, ${dx}), (1, 2))` };
    return { call: `${use(shiftMap)}(${x}, ${dy}, ${dx})` };
  },
  ChannelShift: ({ config, inputs: [x], use, int }) => ({
    call: `${use(shiftChannels(config.mode === "circular"))}(${x}, ${int(config.moved as number, "count")})`,
  }),
  Pad: ({ config, inputs: [x], use }) => {
    const { before, after } = config as unknown as Sides;
    if (config.mode === "zeros") {
      // PyTorch counts from the last axis: channels, columns, rows.
      const sides = [0, 0, ...before.flatMap((_, i) => [before, after].map((s) => s[before.length - 1 - i]))];
      return { call: `F.pad(${x}, (${sides.join(", ")}))` };
    }
    const name = use(extend);
    const call = before.reduce(
      (inner, b, axis) =>
        b + after[axis] === 0
          ? inner
          : `${name}(${inner}, ${axis + 1}, ${b}, ${after[axis]}, "${config.mode}")`,
      x,
    );
    return { call };
  },
  Crop: ({ config, inputs: [x], shapes }) => {
    const { before, after } = config as unknown as Sides;
    return { call: `${x}[:, ${before.map((b, i) => `${b}:${shapes[0][i] - after[i]}`).join(", ")}]` };
  },
  Token: ({ config, inputs: [x], int }) => ({ call: `${x}[:, ${int(config.index as number, "index")}]` }),
  Split: ({ config, inputs: [x] }) => ({ call: `${x}.chunk(${config.parts}, dim=-1)` }),
  Concat: ({ config, inputs }) => ({
    call: `torch.cat([${inputs.join(", ")}], dim=${config.axis === "tokens" ? 1 : -1})`,
  }),
  MeanPool: ({ inputs: [x], shapes }) => ({
    call: `${x}.mean(dim=${shapes[0].length === 3 ? "(1, 2)" : "1"})`,
  }),
  Learned: ({ self, batch, use, shape, channels, int }) => {
    const sizes = shape("value");
    const text = sizes.map((n, i) => (i === sizes.length - 1 ? channels(n, "channels") : int(n, "tokens")));
    return { module: `${use(learned)}(${text.join(", ")})`, call: `${self}(${batch})` };
  },
};
