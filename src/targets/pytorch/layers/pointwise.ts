/** Activations and other functions of single entries or pairs of channels. */
import { coefficientOf, type Emit, type EmitContext, type Helper } from "../emission.ts";
import { float as literal } from "../python.ts";
import { sizes } from "./arithmetic.ts";

const selu: Helper = {
  name: "selu",
  source: `
def selu(x: Tensor) -> Tensor:
    """λ·x above 0, λα·(e^x - 1) below, with λ and α as float32 holds them (arXiv 1706.02515)."""
    return ${literal(Math.fround(1.0507009873554805))} * (F.relu(x) + ${literal(Math.fround(1.6732632423543772))} * torch.expm1(x.clamp(max=0.0)))`.trim(),
};

const maxMin: Helper = {
  name: "max_min",
  source: `
def max_min(x: Tensor) -> Tensor:
    """Larger and smaller of two halves of the channels (arXiv 1811.05381)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([torch.maximum(a, b), torch.minimum(a, b)], dim=-1)`.trim(),
};

const groupSort: Helper = {
  name: "group_sort",
  source: `
def group_sort(x: Tensor, n: int) -> Tensor:
    """Groups of n neighbouring channels, each sorted (arXiv 1811.05381)."""
    return x.unflatten(-1, (x.shape[-1] // n, n)).sort(dim=-1).values.flatten(-2)`.trim(),
};

const householder: Helper = {
  name: "Householder",
  source: `
class Householder(nn.Module):
    """Pairs of channels, reflected where they lie below a learned line at the angle theta/2 (arXiv 2108.04062)."""

    def __init__(self, pairs: int):
        super().__init__()
        self.theta = nn.Parameter(torch.full((pairs,), ${literal(Math.fround(Math.PI / 2))}))

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=-1)
        sine, cosine = torch.sin(self.theta / 2), torch.cos(self.theta / 2)
        step = 2.0 * (a * sine - b * cosine).clamp(max=0.0) / (sine.square() + cosine.square())
        return torch.cat([a - step * sine, b + step * cosine], dim=-1)`.trim(),
};

const prelu: Helper = {
  name: "PReLU",
  source: `
class PReLU(nn.Module):
    """x above 0, slope·x below; one slope or one per channel (arXiv 1502.01852)."""

    def __init__(self, *shape: int):
        super().__init__()
        self.slope = nn.Parameter(torch.full(shape, 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=0.0) + self.slope * x.clamp(max=0.0)`.trim(),
};

const softmax: Helper = {
  name: "Softmax",
  source: `
class Softmax(nn.Module):
    """Softmax over channels of tau·x, tau learned."""

    def __init__(self):
        super().__init__()
        self.tau = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return (self.tau * x).softmax(dim=-1)`.trim(),
};

const project = (norm: string): Helper => ({
  name: norm === "token" ? "project_tokens" : "project",
  source: `
def ${norm === "token" ? "project_tokens" : "project"}(x: Tensor, radius: float) -> Tensor:
    """The nearest point whose ${norm === "token" ? "every token has" : "entries together have"} length at most radius."""
    square = (x / radius).square().sum(dim=${norm === "token" ? "-1" : "list(range(1, x.dim()))"}, keepdim=True)
    return x * torch.rsqrt(square.clamp_min(1.0))`.trim(),
});

const simple =
  (f: string): Emit =>
  ({ inputs: [x] }) => ({ call: `${f}(${x})` });

function number(context: EmitContext, name: string): string {
  return context.float(context.config[name] as number, name);
}

export const pointwise: Readonly<Record<string, Emit>> = {
  ReLU: simple("F.relu"),
  GELU: ({ config, inputs: [x] }) => ({
    call: config.form === "tanh" ? `F.gelu(${x}, approximate="tanh")` : `F.gelu(${x})`,
  }),
  SiLU: simple("F.silu"),
  Tanh: simple("torch.tanh"),
  Sigmoid: simple("torch.sigmoid"),
  // Beyond the threshold PyTorch takes x itself: e^-40 is below every rounding.
  Softplus: (context) => ({
    call: `F.softplus(${context.inputs[0]}, beta=${number(context, "beta")}, threshold=40.0)`,
  }),
  ELU: (context) => ({ call: `F.elu(${context.inputs[0]}, alpha=${number(context, "alpha")})` }),
  LeakyReLU: (context) => ({ call: `F.leaky_relu(${context.inputs[0]}, ${number(context, "slope")})` }),
  Abs: simple("torch.abs"),
  Mish: simple("F.mish"),
  SELU: ({ inputs, use }) => ({ call: `${use(selu)}(${inputs[0]})` }),
  HardSwish: simple("F.hardswish"),
  MaxMin: ({ inputs, use }) => ({ call: `${use(maxMin)}(${inputs[0]})` }),
  GroupSort: ({ inputs, use, int, config }) => ({
    call: `${use(groupSort)}(${inputs[0]}, ${int(config.n as number, "n")})`,
  }),
  Householder: ({ inputs, use, self, shape, int }) => ({
    module: `${use(householder)}(${int(shape("theta")[0], "pairs")})`,
    call: `${self}(${inputs[0]})`,
  }),
  PReLU: (context) => {
    const slope = coefficientOf(context.config.slope);
    const [x] = context.inputs;
    if (slope.kind === "constant")
      return { call: `F.leaky_relu(${x}, ${context.float(slope.value, "slope")})` };
    return { module: `${context.use(prelu)}(${sizes(context, "slope")})`, call: `${context.self}(${x})` };
  },
  Clamp: (context) => ({
    call: `${context.inputs[0]}.clamp(${number(context, "low")}, ${number(context, "high")})`,
  }),
  Project: (context) => {
    const [x] = context.inputs;
    const radius = number(context, "radius");
    const norm = context.config.norm as string;
    if (norm === "linf") return { call: `${x}.clamp(-${radius}, ${radius})` };
    return { call: `${context.use(project(norm))}(${x}, ${radius})` };
  },
  Softmax: (context) => {
    const tau = coefficientOf(context.config.tau);
    const [x] = context.inputs;
    if (tau.kind === "learned") return { module: `${context.use(softmax)}()`, call: `${context.self}(${x})` };
    if (tau.value === 1) return { call: `${x}.softmax(dim=-1)` };
    return { call: `(${context.float(tau.value, "tau")} * ${x}).softmax(dim=-1)` };
  },
};
