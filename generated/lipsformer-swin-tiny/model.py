"""LipsFormerSwinTiny in PyTorch, written by lipsc from specs/lipsformer-swin-tiny.lips. Change the spec, not this file.

Values are [batch, positions..., channels], as in the spec. Names of parameters are the names of weights in every
target of lipsc and in .safetensors files. Numbers are those of the spec as float32 stores them, which is what the
proven bound is about.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conv2d(nn.Conv2d):
    """nn.Conv2d on maps with channels last: [batch, h, w, c] -> [batch, h', w', c']. The permuted view is what
    PyTorch calls the channels_last memory format: nothing is copied."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def drop_path(x: Tensor, p: float, training: bool) -> Tensor:
    """In training leaves out whole samples with probability p and divides the others by 1 - p (arXiv 1603.09382)."""
    if p == 0.0 or not training:
        return x
    kept = torch.rand(x.shape[0], *[1] * (x.dim() - 1), device=x.device) >= p
    return x * (kept.to(x.dtype) / (1.0 - p))


class Residual(nn.Module):
    """x + alpha·f with a learned alpha: one number (no shape) or one per channel. Drop path leaves the branch out."""

    def __init__(self, *shape: int, drop: float = 0.0):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(shape))
        self.drop = drop

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        return x + drop_path(self.alpha * f, self.drop, self.training)


def into_windows(x: Tensor, rows: int, columns: int) -> Tensor:
    """[batch, h, w, c] -> [batch, windows, rows·columns, c]"""
    _, h, w, _ = x.shape
    x = x.unflatten(2, (w // columns, columns)).unflatten(1, (h // rows, rows))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., tokens, c] -> [..., heads, tokens, c/heads]"""
    return x.unflatten(-1, (heads, x.shape[-1] // heads)).transpose(-2, -3)


def unit(x: Tensor, eps: float) -> Tensor:
    """Vectors of the last axis as x/√(‖x‖² + eps); lengths are taken in float32 or better, also under autocast."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.rsqrt(wide.square().sum(dim=-1, keepdim=True) + eps)).to(x.dtype)


def relative_positions(rows: int, columns: int) -> Tensor:
    """[tokens, tokens]: the row of the table of relative positions for query i and key j (arXiv 2103.14030)."""
    token = torch.arange(rows * columns)
    y, x = token // columns, token % columns
    down = y[:, None] - y + rows - 1
    right = x[:, None] - x + columns - 1
    return down * (2 * columns - 1) + right


def join_heads(x: Tensor) -> Tensor:
    """[..., heads, tokens, c/heads] -> [..., tokens, c]"""
    return x.transpose(-2, -3).flatten(-2)


def from_windows(x: Tensor, height: int, width: int, rows: int, columns: int) -> Tensor:
    """[batch, windows, rows·columns, c] -> [batch, height, width, c]"""
    x = x.unflatten(2, (rows, columns)).unflatten(1, (height // rows, width // columns))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class CosineWindowAttention(nn.Module):
    """Multi-head attention inside windows of window x window tokens.

    q, k, v: [batch, h, w, c] -> [batch, h, w, c].
    For each head scores are tau·q̂·k̂ with ẑ = z/√(‖z‖² + eps); plus a learned table of
    relative positions; values are nu·v/√(‖v‖² + values_eps).
    """

    def __init__(self, heads: int, window: int, tau: float, eps: float, nu: float, values_eps: float):
        super().__init__()
        self.heads = heads
        self.window = window
        self.tau = tau
        self.eps = eps
        self.position = nn.Parameter(torch.zeros((2 * window - 1) * (2 * window - 1), heads))
        index = relative_positions(window, window)
        self.register_buffer("index", index, persistent=False)
        self.nu = nu
        self.values_eps = values_eps

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        _, height, width, _ = q.shape
        q, k, v = [into_windows(x, self.window, self.window) for x in (q, k, v)]
        q, k, v = [split_heads(x, self.heads) for x in (q, k, v)]
        scores = (self.tau * unit(q, self.eps)) @ unit(k, self.eps).transpose(-2, -1)
        scores = scores + self.position[self.index].permute(2, 0, 1)
        v = self.nu * unit(v, self.values_eps)
        y = join_heads(scores.softmax(dim=-1) @ v)
        y = from_windows(y, height, width, self.window, self.window)
        return y


def space_to_depth_by_columns(x: Tensor, size: int) -> Tensor:
    """[batch, h, w, c] -> [batch, h/size, w/size, size²·c]: neighbours joined column by column."""
    _, h, w, _ = x.shape
    x = x.unflatten(2, (w // size, size)).unflatten(1, (h // size, size))
    return x.permute(0, 1, 3, 4, 2, 5).flatten(3)


class CenterNorm(nn.Module):
    """gamma·d/(d - 1)·(x - mean) + beta over the d channels (LipsFormer, arXiv 2304.09856)."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        d = x.shape[-1]
        return (d / (d - 1)) * self.gamma * (x - x.mean(dim=-1, keepdim=True)) + self.beta


class Normalize(nn.Module):
    """(x - mean)·scale, channel by channel; scale is one over the deviation."""

    def __init__(self, mean: list[float], scale: list[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) * self.scale


def fans(weight: Tensor) -> tuple[int, int]:
    """Numbers that one output is made of, and outputs that one input enters; (out, in/groups, taps...)."""
    out, inner, *taps = [*weight.shape, 1, 1][: max(2, weight.dim())]
    return inner * math.prod(taps), out * math.prod(taps)


def xavier_normal_(weight: Tensor) -> None:
    """Glorot & Bengio 2010, the normal form."""
    nn.init.normal_(weight, std=math.sqrt(2.0 / sum(fans(weight))))


def scale_to_one_(weight: Tensor) -> None:
    """Divides by the largest singular value of the weight as (out, everything else), found in float64 and taken
    1e-6 larger, so that rounding leaves the norm below 1: an estimate, not a proof (initial.safetensors has one)."""
    w = weight.double().reshape(weight.shape[0] if weight.dim() > 0 else 1, -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    weight.copy_(weight.double() / (torch.linalg.eigvalsh(gram)[-1].clamp_min(0.0).sqrt() * (1.0 + 1e-6) + 1e-30))


def spectral_(weight: Tensor) -> None:
    """Xavier normal, then divided by the largest singular value."""
    xavier_normal_(weight)
    scale_to_one_(weight)


def trunc_normal_(weight: Tensor, std: float) -> None:
    """Normal, drawn again beyond two deviations."""
    nn.init.trunc_normal_(weight, std=std, a=-2.0 * std, b=2.0 * std)


# std/vision.lips:9
# block PatchEmbed(x: [h, w, c], dim: int, patch: int) -> [h / patch, w / patch, dim] {
class PatchEmbed(nn.Module):
    """Cuts the image into patches and maps each to `dim` channels.

    x: [batch, h, w, c] -> [batch, h / patch, w / patch, dim]
    """

    def __init__(self, c: int, dim: int):
        super().__init__()
        self.conv = Conv2d(c, dim, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


# std/lipsformer.lips:6
# block Weighted(x: [..., d], f: Layer, alpha: real, drop: real = 0) -> [..., d] {
class Weighted(nn.Module):
    """x + alpha * f(x), alpha learned for each channel (LipsFormer's weighted residual).

    x: [batch, ..., d] -> [batch, ..., d]; branch: the value of f
    """

    def __init__(self, d: int, drop: float):
        super().__init__()
        self.residual = Residual(d, drop=drop)

    def forward(self, x: Tensor, branch: Tensor) -> Tensor:
        return self.residual(x, branch)


# std/attention.lips:4
# block Attention(
#   x: [..., d], heads: int, score: Score, values: Values = raw, over: Region = global,
#   position: Position = none, causal: bool = false,
# ) -> [..., d] {
class Attention(nn.Module):
    """Multi-head self-attention: queries, keys and values from one projection, then a projection out.

    x: [batch, ..., d] -> [batch, ..., d]
    """

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.linear = nn.Linear(d, 3 * d)
        self.attend = CosineWindowAttention(
            heads=heads, window=7, tau=10.0, eps=0.009999999776482582, nu=1.0,
            values_eps=0.009999999776482582,
        )
        self.linear_2 = nn.Linear(d, d)

    def forward(self, x: Tensor) -> Tensor:
        # let [q, k, v] = x |> Linear(3 * d) |> Split(3)
        q, k, v = self.linear(x).chunk(3, dim=-1)
        # Attend(q, k, v, heads: heads, score: score, values: values, over: over, position: position, cau…
        x = self.attend(q, k, v)
        return self.linear_2(x)


# std/vision.lips:4
# block Mlp(x: [..., d], ratio: int = 4, act: Layer = GELU) -> [..., d] {
class Mlp(nn.Module):
    """Two-layer perceptron, applied to each token.

    x: [batch, ..., d] -> [batch, ..., d]
    """

    def __init__(self, d: int):
        super().__init__()
        self.linear = nn.Linear(d, 4 * d)
        self.linear_2 = nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        # x |> Linear(ratio * d) |> act |> Linear(d)
        x = F.gelu(self.linear(x))
        return self.linear_2(x)


# std/vision.lips:14
# block PatchMerging(x: [h, w, d], norm: Layer) -> [h / 2, w / 2, 2 * d] {
class PatchMerging(nn.Module):
    """Joins 2 x 2 neighbours: half the resolution, twice the channels (Swin).

    x: [batch, h, w, d] -> [batch, h / 2, w / 2, 2 * d]
    """

    def __init__(self, d: int):
        super().__init__()
        self.norm = CenterNorm(4 * d)
        self.linear = nn.Linear(4 * d, 2 * d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # x |> SpaceToDepth(2, order: columns) |> norm |> Linear(2 * d, bias: false)
        x = self.norm(space_to_depth_by_columns(x, 2))
        return self.linear(x)


# std/lipsformer.lips:11
# block LipsBlock(x: [h, w, d], attention: Layer, alpha: real, drop: real = 0) -> [h, w, d] {
class LipsBlock(nn.Module):
    """Two convolutional branches, attention and a perceptron, each behind a weighted residual (Qi et al., ICLR 2023).

    x: [batch, h, w, d] -> [batch, h, w, d]
    """

    def __init__(self, d: int, drop: float, heads: int):
        super().__init__()
        self.depthwise_conv = Conv2d(d, d, 7, padding=3, groups=d)
        self.linear = nn.Linear(d, d)
        self.weighted = Weighted(d=d, drop=drop)
        self.depthwise_conv_2 = Conv2d(d, d, 7, padding=3, groups=d)
        self.weighted_2 = Weighted(d=d, drop=drop)
        self.attention = Attention(d=d, heads=heads)
        self.weighted_3 = Weighted(d=d, drop=drop)
        self.center_norm = CenterNorm(d)
        self.mlp = Mlp(d)
        self.weighted_4 = Weighted(d=d, drop=drop)
        self.center_norm_2 = CenterNorm(d)

    def forward(self, x: Tensor) -> Tensor:
        # x |> Weighted(DepthwiseConv(7) |> GELU |> Linear(d) |> GELU, alpha, drop)
        y = F.gelu(self.linear(F.gelu(self.depthwise_conv(x))))
        x = self.weighted(x, y)
        # |> Weighted(DepthwiseConv(7) |> GELU, alpha, drop)
        y = F.gelu(self.depthwise_conv_2(x))
        x = self.weighted_2(x, y)
        # |> Weighted(attention, alpha, drop)
        y = self.attention(x)
        x = self.weighted_3(x, y)
        # |> CenterNorm
        x = self.center_norm(x)
        # |> Weighted(Mlp(4), alpha, drop)
        y = self.mlp(x)
        x = self.weighted_4(x, y)
        return self.center_norm_2(x)


# specs/lipsformer-swin-tiny.lips:6
# model LipsFormerSwinTiny = LipsFormerSwin() {
class LipsFormerSwinTiny(nn.Module):
    """LipsFormer-Swin-Tiny in the paper's form.

    Takes
        image: [batch, 224, 224, 3], entries in [0, 1]
    and gives
        logits: [batch, 1000]

    Images have channels last: `image.permute(0, 2, 3, 1)` makes that of PyTorch's usual layout.
    """

    def __init__(self, *, initialise: bool = True):
        super().__init__()
        self.normalize = Normalize(
            [0.48500001430511475, 0.4560000002384186, 0.4059999883174896],
            [4.366812229156494, 4.464285850524902, 4.44444465637207],
        )
        self.patch_embed = PatchEmbed(c=3, dim=96)
        self.center_norm = CenterNorm(96)
        self.lips_block = nn.ModuleList([
            nn.ModuleList([
                LipsBlock(d=96, drop=0.0, heads=3),
                LipsBlock(d=96, drop=0.0181818176060915, heads=3),
            ]),
            nn.ModuleList([
                LipsBlock(d=192, drop=0.036363635212183, heads=6),
                LipsBlock(d=192, drop=0.05454545468091965, heads=6),
            ]),
            nn.ModuleList([
                LipsBlock(d=384, drop=0.072727270424366, heads=12),
                LipsBlock(d=384, drop=0.09090909361839294, heads=12),
                LipsBlock(d=384, drop=0.1090909093618393, heads=12),
                LipsBlock(d=384, drop=0.12727272510528564, heads=12),
                LipsBlock(d=384, drop=0.145454540848732, heads=12),
                LipsBlock(d=384, drop=0.16363635659217834, heads=12),
            ]),
            nn.ModuleList([
                LipsBlock(d=768, drop=0.1818181872367859, heads=24),
                LipsBlock(d=768, drop=0.20000000298023224, heads=24),
            ]),
        ])
        self.patch_merging = nn.ModuleList([PatchMerging(96), PatchMerging(192), PatchMerging(384)])
        self.center_norm_2 = CenterNorm(768)
        self.linear = nn.Linear(768, 1000)
        if initialise:
            self.reset_parameters()

    def forward(self, image: Tensor) -> Tensor:
        # let x = image |> Normalize(imagenet_mean, imagenet_std) |> PatchEmbed(dim, patch: 4) |> CenterN…
        x = self.normalize(image)
        x = self.patch_embed(x)
        x = self.center_norm(x)
        # x = x |> LipsBlock(attention, alpha: 1 / blocks, drop: drop * seen / (blocks - 1))
        for lips_block in self.lips_block[0]:
            x = lips_block(x)
        # if stage < 3 { x = x |> PatchMerging(norm: CenterNorm) }
        x = self.patch_merging[0](x)
        # x = x |> LipsBlock(attention, alpha: 1 / blocks, drop: drop * seen / (blocks - 1))
        for lips_block in self.lips_block[1]:
            x = lips_block(x)
        # if stage < 3 { x = x |> PatchMerging(norm: CenterNorm) }
        x = self.patch_merging[1](x)
        # x = x |> LipsBlock(attention, alpha: 1 / blocks, drop: drop * seen / (blocks - 1))
        for lips_block in self.lips_block[2]:
            x = lips_block(x)
        # if stage < 3 { x = x |> PatchMerging(norm: CenterNorm) }
        x = self.patch_merging[2](x)
        # x = x |> LipsBlock(attention, alpha: 1 / blocks, drop: drop * seen / (blocks - 1))
        for lips_block in self.lips_block[3]:
            x = lips_block(x)
        # let features = x |> CenterNorm |> MeanPool
        features = self.center_norm_2(x).mean(dim=(1, 2))
        # output logits = features |> Linear(classes)
        return self.linear(features)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Fresh weights by the spec's initialisers, from torch's own random numbers."""
        initialisers = {
            "weight": spectral_,
            "bias": nn.init.zeros_,
            "gamma": nn.init.ones_,
            "beta": nn.init.zeros_,
            "alpha": lambda w: nn.init.constant_(w, 0.0833333283662796),
            "position": lambda w: trunc_normal_(w, std=0.019999999552965164),
        }
        for path, weight in self.named_parameters():
            initialisers.get(path, initialisers[path.rpartition(".")[2]])(weight)
