/** Normalisation of tokens. */
import type { Emit, EmitContext, Helper } from "../emission.ts";

const centerNorm: Helper = {
  name: "CenterNorm",
  source: `
class CenterNorm(nn.Module):
    """gamma·d/(d - 1)·(x - mean) + beta over the d channels (LipsFormer, arXiv 2304.09856)."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        d = x.shape[-1]
        return (d / (d - 1)) * self.gamma * (x - x.mean(dim=-1, keepdim=True)) + self.beta`.trim(),
};

const layerNorm: Helper = {
  name: "LayerNorm",
  source: `
class LayerNorm(nn.Module):
    """Each token normalised over its channels, then gamma and beta (arXiv 1607.06450)."""

    def __init__(self, channels: int, eps: float):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.gamma.shape, self.gamma, self.beta, self.eps)`.trim(),
};

const rmsNorm: Helper = {
  name: "RMSNorm",
  source: `
class RMSNorm(nn.Module):
    """Each token divided by the root of its mean square, then gamma (arXiv 1910.07467)."""

    def __init__(self, channels: int, eps: float):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        normal = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return normal.to(x.dtype) * self.gamma`.trim(),
};

/** z/√(‖z‖² + eps): of UnitNorm, and of queries, keys and values. */
export const unit: Helper = {
  name: "unit",
  source: `
def unit(x: Tensor, eps: float) -> Tensor:
    """Vectors of the last axis as x/√(‖x‖² + eps); lengths are taken in float32 or better, also under autocast."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.rsqrt(wide.square().sum(dim=-1, keepdim=True) + eps)).to(x.dtype)`.trim(),
};

/** z/max(‖z‖, eps): the root is taken after the maximum, where its gradient is finite at 0. */
export const guarded: Helper = {
  name: "unit_or_less",
  source: `
def unit_or_less(x: Tensor, floor: float) -> Tensor:
    """Vectors of the last axis as x/√max(‖x‖², floor); lengths are taken in float32 or better, also under autocast."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.rsqrt(wide.square().sum(dim=-1, keepdim=True).clamp_min(floor))).to(x.dtype)`.trim(),
};

/** z/max(‖z‖, eps), for an eps whose square float32 can't hold. */
export const shortest: Helper = {
  name: "unit_or_shorter",
  source: `
def unit_or_shorter(x: Tensor, eps: float) -> Tensor:
    """Vectors of the last axis as x/max(‖x‖, eps); lengths are taken in float32 or better, also under autocast."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide / wide.norm(dim=-1, keepdim=True).clamp_min(eps)).to(x.dtype)`.trim(),
};

function affine(context: EmitContext, helper: Helper, eps: boolean) {
  const { shape, config, use, channels, float, self, inputs } = context;
  const more = eps ? `, eps=${float(config.eps as number, "eps")}` : "";
  return {
    module: `${use(helper)}(${channels(shape("gamma")[0], "channels")}${more})`,
    call: `${self}(${inputs[0]})`,
  };
}

export const norms: Readonly<Record<string, Emit>> = {
  CenterNorm: (context) => affine(context, centerNorm, false),
  LayerNorm: (context) => affine(context, layerNorm, true),
  RMSNorm: (context) => affine(context, rmsNorm, true),
  BatchNorm: {
    none: "how its running statistics are carried along in training is not defined by the language yet",
  },
  UnitNorm: ({ config, inputs: [x], use, float }) => ({
    call: `${use(config.guard === "max" ? guarded : unit)}(${x}, ${float(config.floor as number, "floor")})`,
  }),
};
