"""Loss, optimiser, schedule and average of the recipe (recipe.json), as the language of lipsc defines them."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def learning_rate(recipe: dict, index: int, steps: int, per_epoch: int) -> float:
    """The rate of step `index` (from 0) of `steps`. Warmup counts epochs; its first step has 1/(warmup steps) of it."""
    lr = recipe["optimizer"]["args"]["lr"]
    schedule = recipe["schedule"]["name"]
    args = recipe["schedule"]["args"]
    # Halves are rounded up, as JavaScript does.
    warmup = min(steps, math.floor(args.get("warmup", 0) * per_epoch + 0.5))
    if index < warmup:
        return lr * (index + 1) / warmup
    t = min(1.0, (index - warmup) / max(1, steps - warmup))
    if schedule == "constant":
        return lr
    if schedule == "linear":
        return lr + (args.get("end", 0) - lr) * t
    if schedule == "cosine":
        least = args.get("min_lr", 0)
        return least + (lr - least) * (1 + math.cos(math.pi * t)) / 2
    raise ValueError(f"unknown schedule {schedule}")


def make_optimizer(model: nn.Module, recipe: dict, groups: dict[str, dict]) -> torch.optim.Optimizer:
    """One parameter group for each pair of weight decay and learning-rate scale; `groups` has both by weight."""
    sorted_weights: dict[tuple[float, float], list[nn.Parameter]] = {}
    for path, weight in model.named_parameters():
        own = groups[path]
        sorted_weights.setdefault((own["weight_decay"], own["lr_scale"]), []).append(weight)
    parameters = [
        {"params": weights, "weight_decay": decay, "lr_scale": scale}
        for (decay, scale), weights in sorted_weights.items()
    ]
    args = recipe["optimizer"]["args"]
    name = recipe["optimizer"]["name"]
    if name in ("adamw", "adam"):
        kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
        return kind(parameters, lr=args["lr"], betas=tuple(args["betas"]), eps=args["eps"])
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=args["lr"], momentum=args.get("momentum", 0.0))
    raise ValueError(f"unknown optimizer {name}")


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def loss_of(recipe: dict, logits: Tensor, labels: Tensor, others: Tensor, share: float) -> Tensor:
    """The recipe's weighted sum, mean over the batch. `labels` count with `share`, the partners' `others` with the rest."""
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    total = logits.new_zeros(())
    for part in recipe["loss"]:
        smoothing = part["term"]["args"].get("smoothing", 0)
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        if share < 1.0:
            loss = share * loss + (1.0 - share) * F.cross_entropy(logits, others, label_smoothing=smoothing)
        total = total + part["weight"] * loss
    return total


class Average:
    """e ← e + (1 - decay)(w - e) after each step, from the initial weights on."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {path: w.detach().clone() for path, w in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        for path, weight in model.named_parameters():
            self.weights[path].lerp_(weight, 1.0 - self.decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchanges the model's weights and the averages; twice is nothing."""
        for path, weight in model.named_parameters():
            kept = copy.deepcopy(weight.detach())
            weight.copy_(self.weights[path])
            self.weights[path].copy_(kept)
