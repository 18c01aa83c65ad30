/** Layers around a step or an activation that they are given: recurrences, and residuals of norm 1 by construction. */
import { keywords, type Emit, type EmitContext, type Helper } from "../emission.ts";
import { linearMap, times, withProducts } from "./parts.ts";

type Sums = Pick<EmitContext, "longestSum">;

const sll = (sums: Sums): Helper =>
  withProducts(
    sums,
    "SLL",
    (summing) => `
class SLL(nn.Module):
    """x - 2·W T⁻¹ act(Wᵀx + bias): 1-Lipschitz for act with slopes in [0, 1] (arXiv 2303.03169)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, width))
        self.q = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, act) -> Tensor:
        q = self.q.clamp(-20.0, 20.0).exp()
        sums = ((self.weight.T @ self.weight).abs() * q).sum(dim=1) / q
        inner = act(${times(summing, "x", "self.weight")} + self.bias) / torch.where(sums > 0.0, sums, torch.ones_like(sums))
        return x - 2.0 * (${times(summing, "inner", "self.weight.T")})`,
  );

const cpl = (sums: Sums): Helper =>
  withProducts(
    sums,
    "CPL",
    (summing) => `
class CPL(nn.Module):
    """x - 2/s·Wᵀ act(Wx + bias), s ≥ ‖W‖²: 1-Lipschitz for act with slopes in [0, 1] (arXiv 2110.12690)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, channels))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, act) -> Tensor:
        s = (self.weight @ self.weight.T).abs().sum(dim=1).amax()
        inner = act(${linearMap(summing, "x", "self.weight", "self.bias")})
        return x - 2.0 * (${times(summing, "inner / torch.where(s > 0.0, s, torch.ones_like(s))", "self.weight")})`,
  );

const sandwich = (sums: Sums): Helper =>
  withProducts(
    sums,
    "Sandwich",
    (summing) => `
class Sandwich(nn.Module):
    """2·AᵀΨ act(Ψ⁻¹Bx + bias), [A B] = constraint(weight) of norm 1 or less: 1-Lipschitz for act with slopes in [0, 1]
    (arXiv 2301.11526, whose Ψ is √2 times this one)."""

    def __init__(self, channels: int, width: int, *, constraint):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, width + channels))
        self.psi = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.constraint = constraint

    def forward(self, x: Tensor, act) -> Tensor:
        a, b = self.constraint(self.weight).tensor_split([self.psi.shape[0]], dim=1)
        psi = self.psi.clamp(-20.0, 20.0).exp()
        inner = act(${linearMap(summing, "x", "b")} / psi + self.bias)
        return ${times(summing, "inner * (2.0 * psi)", "a")}`,
  );

const stateSpace = (sums: Sums, constrained: boolean): Helper =>
  withProducts(
    sums,
    constrained ? "ConstrainedStateSpace" : "StateSpace",
    (summing) => `
class ${constrained ? "ConstrainedStateSpace" : "StateSpace"}(nn.Module):
    """z_t = Λ z_(t-1) + input·x_t, y_t = output·z_t along the sequence; Λ is diagonal and complex with |λ| ≤ radius."""

    def __init__(self, channels: int, states: int, radius: float${constrained ? ", *, constraint" : ""}):
        super().__init__()
        self.decay = nn.Parameter(torch.zeros(states))
        self.angle = nn.Parameter(torch.zeros(states))
        self.input = nn.Parameter(torch.zeros(2 * states, channels))
        self.output = nn.Parameter(torch.zeros(channels, 2 * states))
        self.radius = radius${constrained ? "\n        self.constraint = constraint" : ""}

    def forward(self, x: Tensor) -> Tensor:
        size = self.radius * torch.sigmoid(self.decay)
        re, im = size * torch.cos(self.angle), size * torch.sin(self.angle)
        driven = ${linearMap(summing, "x", constrained ? "self.constraint(self.input)" : "self.input")}
        z = driven[:, 0]
        states = [z]
        for t in range(1, x.shape[1]):
            a, b = z.chunk(2, dim=-1)
            z = torch.cat([a * re - b * im, a * im + b * re], dim=-1) + driven[:, t]
            states.append(z)
        return ${linearMap(summing, "torch.stack(states, dim=1)", constrained ? "self.constraint(self.output)" : "self.output")}`,
  );

const scan: Helper = {
  name: "scan",
  source: `
def scan(step, x: Tensor, state: Tensor, emit_before: bool = False) -> Tensor:
    """A step fed back along the sequence: [batch, t, m] -> [batch, t, n], the states after (or before) each token."""
    states = []
    for token in x.unbind(dim=1):
        before, state = state, step(state, token)
        states.append(before if emit_before else state)
    return torch.stack(states, dim=1)`.trim(),
};

const learnedScan: Helper = {
  name: "Scan",
  needs: [scan],
  source: `
class Scan(nn.Module):
    """scan from a learned first state."""

    def __init__(self, states: int, emit_before: bool = False):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(states))
        self.emit_before = emit_before

    def forward(self, step, x: Tensor) -> Tensor:
        return scan(step, x, self.start.expand(x.shape[0], -1), self.emit_before)`.trim(),
};

const fixpoint: Helper = {
  name: "fixpoint",
  source: `
def fixpoint(step, x: Tensor, iterations: int, damping: float) -> Tensor:
    """\`iterations\` damped rounds of y + damping·(step(y, x) - y), from y = x."""
    y = x
    for _ in range(iterations):
        y = y + damping * (step(y, x) - y) if damping != 1.0 else step(y, x)
    return y`.trim(),
};

export const recurrent: Readonly<Record<string, Emit>> = {
  SLL: (context) => {
    const { shape, inputs, self, use, channels, step } = context;
    const [from, width] = shape("weight");
    return {
      module: `${use(sll(context))}(${channels(from, "channels")}, ${channels(width, "width")})`,
      call: `${self}(${inputs[0]}, ${step(["x"])})`,
    };
  },
  CPL: (context) => {
    const { shape, inputs, self, use, channels, step } = context;
    const [width, from] = shape("weight");
    return {
      module: `${use(cpl(context))}(${channels(from, "channels")}, ${channels(width, "width")})`,
      call: `${self}(${inputs[0]}, ${step(["x"])})`,
    };
  },
  Sandwich: (context) => {
    const { shape, inputs, self, use, channels, step, constraint } = context;
    const [width, columns] = shape("weight");
    const sizes = `${channels(columns - width, "channels")}, ${channels(width, "width")}`;
    return {
      module: `${use(sandwich(context))}(${sizes}${keywords([["constraint", constraint("weight")]])})`,
      call: `${self}(${inputs[0]}, ${step(["x"])})`,
    };
  },
  StateSpace: (context) => {
    const { shapes, config, use, channels, int, float, self, inputs } = context;
    const constraint = context.constraint("input");
    const sizes = `${channels(shapes[0][1], "channels")}, ${int(config.states as number, "states")}`;
    const more = constraint === null ? "" : `, constraint=${constraint}`;
    const name = use(stateSpace(context, constraint !== null));
    return {
      module: `${name}(${sizes}, radius=${float(config.radius as number, "radius")}${more})`,
      call: `${self}(${inputs[0]})`,
    };
  },
  Scan: ({ config, inputs: [x], outputs, self, use, channels, step }) => {
    const f = step(["state", "token"]);
    const before = config.emit === "before" ? ", emit_before=True" : "";
    const states = channels(outputs[0][1], "states");
    if (config.start === "learned")
      return { module: `${use(learnedScan)}(${states}${before})`, call: `${self}(${f}, ${x})` };
    return { call: `${use(scan)}(${f}, ${x}, ${x}.new_zeros(${x}.shape[0], ${states})${before})` };
  },
  Fixpoint: ({ config, inputs: [x], use, int, float, step }) => ({
    call: `${use(fixpoint)}(${step(["y", "x"])}, ${x}, ${int(config.iterations as number, "iterations")}, ${float(config.damping as number, "damping")})`,
  }),
};
