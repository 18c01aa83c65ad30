"""PyTorch eager: LipsFormer-Swin-Tiny in the paper's form, and its training step.

The network of specs/lipsformer-swin-tiny.lips at 224 x 224, written by hand: drop path, AdamW with a weight decay of its
own for vectors and position tables, gradients clipped at 5, label smoothing. Tokens stay channels last, so that the
convolutions take them as they lie. Parameters are registered in the order of the spec's weights.

Reads lines from standard input and answers each with one line of JSON; end of input ends it:
    load FILE      takes the weights of a safetensors file, by order and shape
    check          one forward and backward pass without drop path on a given batch: loss, gradient norm, logits
    run N          N training steps: their milliseconds, the last loss
    peak           peak memory of the process, in bytes: so far, and when torch was imported
"""

import argparse
import inspect
import json
import resource
import struct
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from blas import loaded_blas


def peak_memory():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


imported = peak_memory()


class CenterNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = channels / (channels - 1)
        self.gamma, self.beta = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return torch.addcmul(self.beta, x - x.mean(-1, keepdim=True), self.gamma * self.factor)


class DepthwiseConv(nn.Module):
    """7 x 7 on tokens [batch, h, w, channels]."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)

    def forward(self, x):
        return self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ConvBranch(nn.Module):
    def __init__(self, channels, mix):
        super().__init__()
        self.depthwise = DepthwiseConv(channels)
        self.linear = nn.Linear(channels, channels) if mix else None

    def forward(self, x):
        x = F.gelu(self.depthwise(x))
        return x if self.linear is None else F.gelu(self.linear(x))


class RelativePosition(nn.Module):
    """One learned number for each head and each offset between two tokens of a window: [heads, tokens, tokens]."""

    def __init__(self, heads, window):
        super().__init__()
        self.table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads) * 0.02)
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        apart = at[:, :, None] - at[:, None, :] + window - 1
        self.register_buffer("index", apart[0] * (2 * window - 1) + apart[1], persistent=False)

    def forward(self):
        return self.table[self.index].permute(2, 0, 1)


class Attention(nn.Module):
    """Cosine attention in windows: queries, keys and values divided by sqrt(norm^2 + eps)."""

    def __init__(self, channels, heads, window=7, tau=10.0, eps=1e-2):
        super().__init__()
        self.heads, self.window, self.tau, self.eps = heads, window, tau, eps
        self.qkv = nn.Linear(channels, 3 * channels)
        self.position = RelativePosition(heads, window)
        self.out = nn.Linear(channels, channels)

    def unit(self, x):
        return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + self.eps)

    def forward(self, x):
        batch, height, width, channels = x.shape
        w, tokens, depth = self.window, self.window**2, channels // self.heads
        cut = self.qkv(x).view(batch, height // w, w, width // w, w, 3, self.heads, depth)
        q, k, v = cut.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, -1, self.heads, tokens, depth).unbind(0)
        scores = (self.unit(q) * self.tau) @ self.unit(k).transpose(-2, -1) + self.position()
        mixed = scores.softmax(-1) @ self.unit(v)
        mixed = mixed.view(batch, height // w, width // w, self.heads, w, w, depth)
        return self.out(mixed.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, height, width, channels))


class Mlp(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.expand, self.shrink = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x):
        return self.shrink(F.gelu(self.expand(x)))


class Scale(nn.Module):
    def __init__(self, channels, start):
        super().__init__()
        self.alpha = nn.Parameter(torch.full((channels,), start))

    def forward(self, x):
        return self.alpha * x


class Weighted(nn.Module):
    """x + alpha * f(x), f left out for whole samples with probability `drop` in training."""

    def __init__(self, f, channels, alpha, drop):
        super().__init__()
        self.f, self.scale, self.drop = f, Scale(channels, alpha), drop

    def forward(self, x):
        step = self.scale(self.f(x))
        if self.training and self.drop > 0:
            kept = torch.empty(x.shape[0], 1, 1, 1).bernoulli_(1 - self.drop).div_(1 - self.drop)
            step = step * kept
        return x + step


class Block(nn.Module):
    def __init__(self, channels, heads, alpha, drop):
        super().__init__()

        def weighted(f):
            return Weighted(f, channels, alpha, drop)

        self.mixed = weighted(ConvBranch(channels, mix=True))
        self.local = weighted(ConvBranch(channels, mix=False))
        self.attention = weighted(Attention(channels, heads))
        self.norm1 = CenterNorm(channels)
        self.mlp = weighted(Mlp(channels))
        self.norm2 = CenterNorm(channels)

    def forward(self, x):
        x = self.norm1(self.attention(self.local(self.mixed(x))))
        return self.norm2(self.mlp(x))


class Merging(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = CenterNorm(4 * channels)
        self.reduce = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x):
        b, h, w, c = x.shape
        # Column offset before row offset: (0,0), (1,0), (0,1), (1,1).
        x = x.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 4, 2, 5).reshape(b, h // 2, w // 2, 4 * c)
        return self.reduce(self.norm(x))


class LipsFormer(nn.Module):
    def __init__(self, dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), drop=0.2, classes=1000):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor([0.229, 0.224, 0.225]), persistent=False)
        self.embed, self.norm = nn.Conv2d(3, dim, 4, 4), CenterNorm(dim)
        blocks, seen, stages = sum(depths), 0, []
        for stage, depth in enumerate(depths):
            width = dim * 2**stage
            for _ in range(depth):
                stages.append(Block(width, heads[stage], 1 / blocks, drop * seen / (blocks - 1)))
                seen += 1
            if stage < len(depths) - 1:
                stages.append(Merging(width))
        self.stages = nn.Sequential(*stages)
        self.last, self.head = CenterNorm(width), nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                nn.init.xavier_normal_(module.weight)
                with torch.no_grad():
                    module.weight /= torch.linalg.matrix_norm(module.weight.flatten(1), 2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image):
        x = ((image - self.mean) * self.scale).permute(0, 3, 1, 2)
        x = self.norm(self.embed(x).permute(0, 2, 3, 1))
        return self.head(self.last(self.stages(x)).mean((1, 2)))


def optimizer_of(model):
    """AdamW with two groups; in one kernel where this PyTorch has that for the CPU."""
    tables = {id(m.table) for m in model.modules() if isinstance(m, RelativePosition)}
    small = [p for p in model.parameters() if p.dim() <= 1 or id(p) in tables]
    large = [p for p in model.parameters() if not (p.dim() <= 1 or id(p) in tables)]
    groups = [{"params": large, "weight_decay": 0.05}, {"params": small, "weight_decay": 5e-4}]
    options = {"lr": 1e-3, "betas": (0.9, 0.98), "eps": 1e-8}
    if "fused" in inspect.signature(torch.optim.AdamW.__init__).parameters:
        try:
            return torch.optim.AdamW(groups, fused=True, **options), "fused AdamW"
        except RuntimeError:
            pass
    return torch.optim.AdamW(groups, **options), "AdamW"


def read_safetensors(path):
    """Tensors in the order in which they lie in the file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = bytearray(file.read())
    header.pop("__metadata__", None)
    entries = sorted(header.values(), key=lambda entry: entry["data_offsets"][0])
    for entry in entries:
        start, end = entry["data_offsets"]
        yield torch.frombuffer(body[start:end], dtype=torch.float32).reshape(entry["shape"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    model = LipsFormer()
    optimizer, note = optimizer_of(model)
    images = torch.rand(options.batch, 224, 224, 3)
    labels = torch.randint(0, 1000, (options.batch,))

    def loss_of(image, label):
        logits = model(image)
        return logits, F.cross_entropy(logits, label, label_smoothing=0.1)

    def step():
        optimizer.zero_grad(set_to_none=True)
        _, loss = loss_of(images, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss.item()

    def run(count):
        times = []
        for _ in range(int(count)):
            start = time.perf_counter()
            loss = step()
            times.append(1000 * (time.perf_counter() - start))
        return {"milliseconds": times, "loss": loss}

    def load(path):
        given = list(read_safetensors(path))
        own = list(model.parameters())
        assert len(given) == len(own), f"{len(given)} weights given, {len(own)} wanted"
        with torch.no_grad():
            for weight, value in zip(own, given):
                assert weight.shape == value.shape, f"{list(value.shape)} given for {list(weight.shape)}"
                weight.copy_(value)
        return {}

    def check(_):
        model.eval()
        optimizer.zero_grad(set_to_none=True)
        count = options.batch * 224 * 224 * 3
        image = ((torch.arange(count) * 7919) % 1013 / 1013).view(options.batch, 224, 224, 3)
        logits, loss = loss_of(image, torch.arange(options.batch) * 37 % 1000)
        loss.backward()
        norm = torch.sqrt(sum(p.grad.double().square().sum() for p in model.parameters()))
        optimizer.zero_grad(set_to_none=True)
        model.train()
        return {"loss": loss.item(), "norm": norm.item(), "logits": logits.flatten().tolist()}

    def peak(_):
        return {"bytes": peak_memory(), "imported": imported}

    parameters = sum(p.numel() for p in model.parameters())
    hello = {"version": torch.__version__, "blas": loaded_blas(), "parameters": parameters, "optimizer": note}
    print(json.dumps(hello), flush=True)
    commands = {"load": load, "check": check, "run": run, "peak": peak}
    for line in sys.stdin:
        name, _, argument = line.strip().partition(" ")
        print(json.dumps(commands[name](argument)), flush=True)


if __name__ == "__main__":
    main()
