/** Sums, products, residuals, and what acts in training only. */
import { coefficientOf, keywords, type Emit, type EmitContext, type Helper } from "../emission.ts";

export const dropPath: Helper = {
  name: "drop_path",
  source: `
def drop_path(x: Tensor, p: float, training: bool) -> Tensor:
    """In training leaves out whole samples with probability p and divides the others by 1 - p (arXiv 1603.09382)."""
    if p == 0.0 or not training:
        return x
    kept = torch.rand(x.shape[0], *[1] * (x.dim() - 1), device=x.device) >= p
    return x * (kept.to(x.dtype) / (1.0 - p))`.trim(),
};

const residual = (convex: boolean): Helper => ({
  name: convex ? "ConvexResidual" : "Residual",
  needs: [dropPath],
  source: `
class ${convex ? "ConvexResidual" : "Residual"}(nn.Module):
    """${convex ? "x + alpha·(f - x)" : "x + alpha·f"} with a learned alpha: one number (no shape) or one per channel. Drop path leaves the branch out."""

    def __init__(self, *shape: int, drop: float = 0.0):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(shape))
        self.drop = drop

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        return x + drop_path(${convex ? "self.alpha * (f - x)" : "self.alpha * f"}, self.drop, self.training)`.trim(),
});

const scale: Helper = {
  name: "Scale",
  source: `
class Scale(nn.Module):
    """Times a learned number, or one per channel."""

    def __init__(self, *shape: int):
        super().__init__()
        self.by = nn.Parameter(torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.by`.trim(),
};

const offset: Helper = {
  name: "Offset",
  source: `
class Offset(nn.Module):
    """Plus a learned number, or one per channel."""

    def __init__(self, *shape: int):
        super().__init__()
        self.by = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by`.trim(),
};

/** The arguments of a learned coefficient's shape: none, or the channels. */
export function sizes(context: EmitContext, name: string): string {
  return context
    .shape(name)
    .map((n) => context.channels(n, "channels"))
    .join(", ");
}

function byCoefficient(context: EmitContext, operator: "*" | "+", helper: Helper) {
  const { inputs, self, use } = context;
  const by = coefficientOf(context.config.by);
  if (by.kind === "constant")
    return { call: `${inputs[0]} ${operator} ${context.float(by.value, "by")}`, loose: true };
  return { module: `${use(helper)}(${sizes(context, "by")})`, call: `${self}(${inputs[0]})` };
}

export const arithmetic: Readonly<Record<string, Emit>> = {
  Add: ({ inputs: [a, b] }) => ({ call: `${a} + ${b}`, loose: true }),
  Subtract: ({ inputs: [a, b] }) => ({ call: `${a} - ${b}`, loose: true }),
  Multiply: ({ inputs: [a, b] }) => ({ call: `${a} * ${b}`, loose: true }),
  Scale: (context) => byCoefficient(context, "*", scale),
  Offset: (context) => byCoefficient(context, "+", offset),
  Residual: (context) => {
    const { config, inputs, self, use, float } = context;
    const [x, f] = inputs;
    const alpha = coefficientOf(config.alpha);
    const convex = config.form === "convex";
    const drop = config.drop as number;
    // Blocks whose rates differ, the first often 0, are still one class.
    const drops = context.somewhere((c) => c.drop !== 0);
    if (alpha.kind === "learned") {
      const shape = sizes(context, "alpha");
      const rest = keywords([["drop", drops ? float(drop, "drop") : null]]);
      const args = shape === "" ? rest.replace(/^, /, "") : `${shape}${rest}`;
      return { module: `${use(residual(convex))}(${args})`, call: `${self}(${x}, ${f})` };
    }
    const branch = convex ? `(${f} - ${x})` : f;
    const step = alpha.value === 1 ? branch : `${float(alpha.value, "alpha")} * ${branch}`;
    if (!drops) return { call: `${x} + ${step}`, loose: true };
    return { call: `${x} + ${use(dropPath)}(${step}, ${float(drop, "drop")}, self.training)`, loose: true };
  },
  Dropout: ({ config, inputs: [x], float }) =>
    config.p === 0
      ? { call: x }
      : { call: `F.dropout(${x}, ${float(config.p as number, "p")}, self.training)` },
  DropPath: ({ config, inputs: [x], use, float }) =>
    config.p === 0
      ? { call: x }
      : { call: `${use(dropPath)}(${x}, ${float(config.p as number, "p")}, self.training)` },
};
