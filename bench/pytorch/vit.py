"""PyTorch eager: one training step of the bench's vision transformer.

Reads lines from standard input: `run N` runs N steps and answers one JSON line {"milliseconds": [...], "loss": ...};
end of input ends it. The model is that of bench/specs/vit-bench.lips: 28 x 28 images, 49 patches of 4 x 4, 96 channels,
depth 6, 3 heads, cosine attention, perceptron 4 x, LayerNorm before each branch, mean over tokens, 10 classes, AdamW.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from blas import loaded_blas


class Attention(nn.Module):
    def __init__(self, channels, heads, tau=10.0, eps=1e-2):
        super().__init__()
        self.heads, self.tau, self.eps = heads, tau, eps
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def unit(self, x):
        return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + self.eps)

    def forward(self, x):
        batch, tokens, channels = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (self.unit(q) * self.tau) @ self.unit(k).transpose(-2, -1)
        mixed = scores.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, channels))


class Block(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = Attention(channels, heads)
        self.expand, self.shrink = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.shrink(F.gelu(self.expand(self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, channels=96, heads=3, depth=6, patch=4, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(1, channels, patch, patch)
        self.position = nn.Parameter(torch.randn(49, channels) * 0.02)
        self.blocks = nn.Sequential(*[Block(channels, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, classes)

    def forward(self, image):
        x = self.embed(image).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(x)).mean(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    model = Vit()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    images = torch.rand(options.batch, 1, 28, 28)
    labels = torch.randint(0, 10, (options.batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        return loss

    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"version": torch.__version__, "blas": loaded_blas(), "parameters": parameters}), flush=True)
    for line in sys.stdin:
        count = int(line.split()[1])
        times = []
        for _ in range(count):
            start = time.perf_counter()
            loss = step().item()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": times, "loss": loss}), flush=True)


if __name__ == "__main__":
    main()
