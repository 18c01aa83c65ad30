"""Augmentation as the language of lipsc defines it (docs/language.md, "Augmentation"; timm's definitions).

Images are float tensors [h, w, c] with entries in [low, high]. Every result stays in there: that is a premise of the
proven bound. Random numbers come from torch generators seeded for each sample, so a run is the same for any number of
workers and after a resume; they are not the numbers that lipsc itself draws.
"""

import math
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


@dataclass(frozen=True)
class Frame:
    """What is the same for all images: range, and mean and deviation of each channel."""

    low: float
    high: float
    mean: Tensor
    deviation: Tensor

    def limit(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high)


class Random:
    """Numbers of one sample or batch, from whole numbers that name it."""

    def __init__(self, *names: int):
        seed = 0
        for name in names:
            # splitmix64
            seed = (seed + name + 0x9E3779B97F4A7C15) & (2**64 - 1)
            seed = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
            seed = ((seed ^ (seed >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
            seed ^= seed >> 31
        self.generator = Generator().manual_seed(seed >> 1)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * torch.rand((), generator=self.generator, dtype=torch.float64).item()

    def below(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self.generator).item())

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def beta(self, alpha: float) -> float:
        """Beta(alpha, alpha) as X/(X + Y) of two gamma numbers."""
        x, y = self.gamma(alpha), self.gamma(alpha)
        return x / (x + y) if x + y > 0.0 else 0.5

    def gamma(self, shape: float) -> float:
        """Marsaglia & Tsang 2000; below 1 by Gamma(shape + 1)·U^(1/shape)."""
        if shape < 1.0:
            return self.gamma(shape + 1.0) * self.uniform() ** (1.0 / shape)
        d = shape - 1.0 / 3.0
        while True:
            z = self.normal().item()
            v = (1.0 + z / math.sqrt(9.0 * d)) ** 3
            if v > 0.0 and math.log(1.0 - self.uniform()) < z * z / 2.0 + d - d * v + d * math.log(v):
                return d * v


Step = Callable[[Tensor, Random], Tensor]


def steps_of(options: list[dict], frame: Frame) -> list[Step]:
    """The recipe's `augment` without what mixes batches. timm leaves colour jitter out beside RandAugment."""
    auto = any(option["name"] == "rand_augment" for option in options)
    steps = []
    for option in options:
        name, args = option["name"], option["args"]
        if name in ("mixup", "cutmix") or (auto and name == "color_jitter"):
            continue
        steps.append(STEPS[name](args, frame))
    return steps


def flip(args: dict, frame: Frame) -> Step:
    return lambda x, random: x.flip(1) if random.uniform() < 0.5 else x


def crop(args: dict, frame: Frame) -> Step:
    """A crop of the image's own size from the image with `padding` zeros around it."""
    padding = int(args.get("padding", 0))
    zero = min(max(0.0, frame.low), frame.high)

    def step(x: Tensor, random: Random) -> Tensor:
        h, w, _ = x.shape
        top, left = random.below(2 * padding + 1), random.below(2 * padding + 1)
        padded = F.pad(x, (0, 0, padding, padding, padding, padding), value=zero)
        return padded[top : top + h, left : left + w]

    return step


def color_jitter(args: dict, frame: Frame) -> Step:
    strength = args["strength"]

    def step(x: Tensor, random: Random) -> Tensor:
        order = [brightness, contrast, colour]
        for i in range(2, 0, -1):
            j = random.below(i + 1)
            order[i], order[j] = order[j], order[i]
        for enhance in order:
            x = enhance(x, frame, random.uniform(max(0.0, 1.0 - strength), 1.0 + strength))
        return x

    return step


def erase(args: dict, frame: Frame) -> Step:
    """Random erasing (arXiv 1708.04896), one rectangle of noise."""
    probability = args["probability"]

    def step(x: Tensor, random: Random) -> Tensor:
        if random.uniform() >= probability:
            return x
        height, width, channels = x.shape
        for _ in range(10):
            area = random.uniform(0.02, 1 / 3) * height * width
            ratio = math.exp(random.uniform(math.log(0.3), -math.log(0.3)))
            h, w = math.floor(math.sqrt(area * ratio) + 0.5), math.floor(math.sqrt(area / ratio) + 0.5)
            if h >= height or w >= width:
                continue
            top, left = random.below(height - h + 1), random.below(width - w + 1)
            x = x.clone()
            noise = frame.mean + frame.deviation * random.normal(h, w, channels)
            x[top : top + h, left : left + w] = frame.limit(noise)
            return x
        return x

    return step


def rand_augment(args: dict, frame: Frame) -> Step:
    """RandAugment (arXiv 1909.13719) as timm's rand-m…-mstd…-inc1."""
    magnitude, std, count = args["magnitude"], args.get("std", 0), int(args.get("count", 2))

    def step(x: Tensor, random: Random) -> Tensor:
        for _ in range(count):
            operation = OPERATIONS[random.below(len(OPERATIONS))]
            if random.uniform() >= 0.5:
                continue
            drawn = magnitude + (std * random.normal().item() if std > 0 else 0.0)
            sign = 1.0 if random.uniform() < 0.5 else -1.0
            x = operation(x, frame, min(max(drawn, 0.0), 10.0) / 10.0, sign)
        return x

    return step


STEPS = {"flip": flip, "crop": crop, "color_jitter": color_jitter, "erase": erase, "rand_augment": rand_augment}


# x ← grey + factor·(x - grey): each has another grey.


def luma(x: Tensor) -> Tensor:
    return (x * x.new_tensor([0.299, 0.587, 0.114])).sum(-1, keepdim=True)


def brightness(x: Tensor, frame: Frame, factor: float) -> Tensor:
    return frame.limit(frame.low + factor * (x - frame.low))


def contrast(x: Tensor, frame: Frame, factor: float) -> Tensor:
    grey = (luma(x) if x.shape[-1] == 3 else x).mean()
    return frame.limit(grey + factor * (x - grey))


def colour(x: Tensor, frame: Frame, factor: float) -> Tensor:
    if x.shape[-1] != 3:
        return x
    grey = luma(x)
    return frame.limit(grey + factor * (x - grey))


def sharpness(x: Tensor, frame: Frame, factor: float) -> Tensor:
    if min(x.shape[:2]) < 3:
        return x
    channels = x.shape[-1]
    kernel = x.new_tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13.0
    smooth = F.conv2d(x.permute(2, 0, 1)[None], kernel.expand(channels, 1, 3, 3), groups=channels)[0].permute(1, 2, 0)
    grey = x.clone()
    grey[1:-1, 1:-1] = smooth
    return frame.limit(grey + factor * (x - grey))


# Levels: 256 of them from the low end of the range to the high one.


def share_of_range(x: Tensor, frame: Frame) -> Tensor:
    return (x - frame.low) / (frame.high - frame.low)


def auto_contrast(x: Tensor, frame: Frame, *_: float) -> Tensor:
    least, most = x.amin((0, 1)), x.amax((0, 1))
    spread = torch.where(most > least, most - least, torch.ones_like(most))
    stretched = frame.low + (x - least) / spread * (frame.high - frame.low)
    return frame.limit(torch.where(most > least, stretched, x))


def equalize(x: Tensor, frame: Frame, *_: float) -> Tensor:
    """Pillow's ImageOps.equalize, channel by channel, on 256 levels."""
    levels = (share_of_range(x, frame) * 255.0).round().clamp(0, 255).long()
    result = []
    for channel in levels.unbind(-1):
        histogram = torch.bincount(channel.reshape(-1), minlength=256)
        filled = histogram[histogram > 0]
        step = int((filled.sum() - filled[-1]).item()) // 255
        if len(filled) <= 1 or step == 0:
            result.append(channel)
            continue
        before = histogram.cumsum(0) - histogram
        table = ((step // 2 + before) // step).clamp(max=255)
        result.append(table[channel])
    return frame.low + torch.stack(result, -1).to(x.dtype) / 255.0 * (frame.high - frame.low)


def invert(x: Tensor, frame: Frame, *_: float) -> Tensor:
    return frame.limit(frame.low + frame.high - x)


def posterize(x: Tensor, frame: Frame, level: float, sign: float) -> Tensor:
    bits = 4 - math.floor(4 * level)
    levels = (share_of_range(x, frame) * 255.0).round().clamp(0, 255).long()
    kept = levels & ~(2 ** (8 - bits) - 1)
    return frame.low + kept.to(x.dtype) / 255.0 * (frame.high - frame.low)


def solarize(x: Tensor, frame: Frame, level: float, sign: float) -> Tensor:
    threshold = (256 - math.floor(256 * level)) / 255
    return torch.where(share_of_range(x, frame) >= threshold, invert(x, frame), x)


def solarize_add(x: Tensor, frame: Frame, level: float, sign: float) -> Tensor:
    added = frame.limit(x + math.floor(110 * level) / 255 * (frame.high - frame.low))
    return torch.where(share_of_range(x, frame) < 128 / 255, added, x)


# Rotations, shears and shifts.


def affine(x: Tensor, frame: Frame, a: float, b: float, c: float, d: float, e: float, f: float) -> Tensor:
    """Pixel (x, y) comes from (a·x + b·y + c, d·x + e·y + f), coordinates of pixels' middles; bicubic with a = -1, the
    mean's colour from outside."""
    height, width, _ = x.shape
    row = torch.arange(height, dtype=torch.float64)[:, None] + 0.5
    column = torch.arange(width, dtype=torch.float64) + 0.5
    from_x, from_y = a * column + b * row + c, d * column + e * row + f
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    columns, across = cubic(from_x - 0.5, width)
    rows, down = cubic(from_y - 0.5, height)
    total = torch.zeros_like(x, dtype=torch.float64)
    for j in range(4):
        for i in range(4):
            total += (down[j] * across[i])[..., None] * x[rows[j], columns[i]]
    return torch.where(inside[..., None], frame.limit(total.to(x.dtype)), frame.limit(frame.mean).to(x.dtype))


def cubic(at: Tensor, count: int) -> tuple[list[Tensor], list[Tensor]]:
    """The four places around, limited to the image, and their weights."""
    first = at.floor()
    t = at - first
    places = [(first.long() - 1 + j).clamp(0, count - 1) for j in range(4)]
    weights = [-t * (1 - t) ** 2, 1 - 2 * t**2 + t**3, t * (1 + t - t**2), -(t**2) * (1 - t)]
    return places, weights


def rotate(x: Tensor, frame: Frame, level: float, sign: float) -> Tensor:
    angle = -math.radians(30.0 * level * sign)
    cos, sin = math.cos(angle), math.sin(angle)
    cx, cy = x.shape[1] / 2, x.shape[0] / 2
    return affine(x, frame, cos, sin, cx - cos * cx - sin * cy, -sin, cos, cy + sin * cx - cos * cy)


OPERATIONS = [
    auto_contrast,
    equalize,
    invert,
    rotate,
    posterize,
    solarize,
    solarize_add,
    lambda x, frame, level, sign: colour(x, frame, max(0.1, 1.0 + 0.9 * level * sign)),
    lambda x, frame, level, sign: contrast(x, frame, max(0.1, 1.0 + 0.9 * level * sign)),
    lambda x, frame, level, sign: brightness(x, frame, max(0.1, 1.0 + 0.9 * level * sign)),
    lambda x, frame, level, sign: sharpness(x, frame, max(0.1, 1.0 + 0.9 * level * sign)),
    lambda x, frame, level, sign: affine(x, frame, 1.0, 0.3 * level * sign, 0.0, 0.0, 1.0, 0.0),
    lambda x, frame, level, sign: affine(x, frame, 1.0, 0.0, 0.0, 0.3 * level * sign, 1.0, 0.0),
    lambda x, frame, level, sign: affine(x, frame, 1.0, 0.0, 0.45 * level * sign * x.shape[1], 0.0, 1.0, 0.0),
    lambda x, frame, level, sign: affine(x, frame, 1.0, 0.0, 0.0, 0.0, 1.0, 0.45 * level * sign * x.shape[0]),
]


def mix(x: Tensor, options: list[dict], random: Random) -> tuple[Tensor, float]:
    """Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899): each sample with the one at the same place from the end of
    the batch. Gives the batch, and the share of a sample's own label in its target."""
    candidates = [option for option in options if option["name"] in ("mixup", "cutmix")]
    if not candidates:
        return x, 1.0
    option = candidates[random.below(len(candidates))]
    share = random.beta(option["args"]["alpha"])
    if option["name"] == "mixup":
        return share * x + (1.0 - share) * x.flip(0), share
    height, width = x.shape[1:3]
    half = [math.floor(n * math.sqrt(1.0 - share)) // 2 for n in (height, width)]
    cy, cx = random.below(height), random.below(width)
    top, bottom = max(0, cy - half[0]), min(height, cy + half[0])
    left, right = max(0, cx - half[1]), min(width, cx + half[1])
    mixed = x.clone()
    mixed[:, top:bottom, left:right] = x.flip(0)[:, top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)
