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
    """One parameter group for each kind of weight: `groups` has rule, weight decay and learning-rate scale of each."""
    sorted_weights: dict[tuple[str, float, float], list[nn.Parameter]] = {}
    for path, weight in model.named_parameters():
        own = groups[path]
        sorted_weights.setdefault((own["rule"], own["weight_decay"], own["lr_scale"]), []).append(weight)
    parameters = [
        {"params": weights, "rule": rule, "weight_decay": decay, "lr_scale": scale}
        for (rule, decay, scale), weights in sorted_weights.items()
    ]
    args = recipe["optimizer"]["args"]
    name = recipe["optimizer"]["name"]
    if name in ("adamw", "adam"):
        kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
        return kind(parameters, lr=args["lr"], betas=tuple(args["betas"]), eps=args["eps"])
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=args["lr"], momentum=args.get("momentum", 0.0))
    if name == "muon":
        return Muon(parameters, args)
    raise ValueError(f"unknown optimizer {name}")


class Muon(torch.optim.Optimizer):
    """Groups with the rule `muon`: momentum, orthogonalised (Jordan et al. 2024); with the rule `adamw`: AdamW."""

    def __init__(self, groups: list[dict], args: dict):
        names = ("lr", "momentum", "ns_steps", "betas", "eps")
        super().__init__(groups, {name: args[name] for name in names})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            update = self.muon if group["rule"] == "muon" else self.adamw
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    update(weight, group)

    def muon(self, weight: nn.Parameter, group: dict) -> None:
        state, beta = self.state[weight], group["momentum"]
        if not state:
            state["exp_avg"] = torch.zeros_like(weight)
        m = state["exp_avg"].lerp_(weight.grad, 1 - beta)
        ahead = full(torch.lerp(weight.grad, m, beta))
        matrix = ahead.reshape(len(ahead), -1)
        scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        direction = orthogonalised(matrix, group["ns_steps"]).reshape(ahead.shape)
        weight.sub_(like(direction, weight), alpha=group["lr"] * scale)

    def adamw(self, weight: nn.Parameter, group: dict) -> None:
        state, (beta1, beta2) = self.state[weight], group["betas"]
        if not state:
            state.update(step=torch.tensor(0.0), exp_avg=torch.zeros_like(weight), exp_avg_sq=torch.zeros_like(weight))
        state["step"] += 1
        step = state["step"].item()
        m = state["exp_avg"].lerp_(weight.grad, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(weight.grad, weight.grad, value=1 - beta2)
        root = (v / (1 - beta2**step)).sqrt_().add_(group["eps"])
        weight.addcdiv_(m, root, value=-group["lr"] / (1 - beta1**step))


def orthogonalised(x: Tensor, steps: int) -> Tensor:
    """Near U@V.T for x = U@S@V.T: `steps` times the quintic of the reference implementation, in x's own precision."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[0] > x.shape[1]
    y = (x.T if tall else x) / (x.square().sum().sqrt() + 1e-7)
    for _ in range(steps):
        gram = y @ y.T
        y = a * y + (b * gram + c * gram @ gram) @ y
    return y.T if tall else y


def full(tensor: Tensor) -> Tensor:
    """The whole of a sharded tensor; every process must ask."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def like(whole: Tensor, weight: Tensor) -> Tensor:
    """A whole tensor as the weight is: on its device, sharded as it is."""
    if hasattr(weight, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(whole.to(weight.device), weight.device_mesh, weight.placements)
    return whole.to(weight.device)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def loss_of(
    recipe: dict, logits: Tensor, labels: Tensor, others: Tensor, share: float, head: tuple[Tensor, float] | None = None
) -> Tensor:
    """The recipe's weighted sum, mean over the batch. `labels` count with `share`, the partners' `others` with the rest.

    `head` is what head_of gives; only the losses `emma` and `radius` ask for it.
    """
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    total = logits.new_zeros(())
    for part in recipe["loss"]:
        name, args = part["term"]["name"], part["term"]["args"]
        loss = loss_term(name, args, logits, labels, head)
        if share < 1.0:
            loss = share * loss + (1.0 - share) * loss_term(name, args, logits, others, head)
        total = total + part["weight"] * loss
    return total


def loss_term(name: str, args: dict, logits: Tensor, labels: Tensor, head: tuple[Tensor, float] | None) -> Tensor:
    if name == "cross_entropy":
        return F.cross_entropy(logits, labels, label_smoothing=args.get("smoothing", 0))
    if name == "margin":
        # t·CE((z - offset·onehot)/t): Prach & Lampert 2022, arXiv 2208.03160
        shifted = logits - args["offset"] * F.one_hot(labels, logits.shape[1])
        return args["temperature"] * F.cross_entropy(shifted / args["temperature"], labels)
    margins = logits.gather(1, labels[:, None]) - logits
    if name == "hinge":
        short = (args["offset"] - margins).clamp_min(0).scatter(1, labels[:, None], 0.0)
        return (short.amax(1) if args["over"] == "max" else short.sum(1)).mean()
    if name == "radius":
        # The margin loss of radii: margins in units of what the pair's difference changes per unit of the input.
        speed = pair_speeds(*head)[labels]
        behind = -margins / torch.where(speed > 0, speed, torch.ones_like(speed))
        short = (behind + args["offset"]).scatter(1, labels[:, None], 0.0)
        return args["temperature"] * (short / args["temperature"]).logsumexp(1).mean()
    if name == "emma":
        # Hu et al. 2023, arXiv 2301.12549: the margin asked for is that of the sample's own radius, at most eps.
        speed = pair_speeds(*head)[labels]
        radius = (margins / speed.clamp_min(1e-8)).clamp(0.01 * args["eps"], args["eps"]).detach()
        return F.cross_entropy(logits + radius * speed, labels)
    raise ValueError(f"unknown loss {name}")


def pair_speeds(weight: Tensor, gain: float) -> Tensor:
    """How much z_a - z_b changes per unit of the input at most, (classes, classes): the distance of the head's rows times
    the gain up to it; 0, without a gradient, where rows are equal."""
    squares = weight.square().sum(1)
    square = squares[:, None] + squares - 2 * weight @ weight.T
    return gain * torch.where(square > 1e-12, square.clamp_min(1e-12).sqrt(), torch.zeros_like(square))


def head_of(model: nn.Module, config: dict) -> tuple[Tensor, float] | None:
    """The linear head's weight, as the model uses it, and the proven gain up to it; None where no loss asks for them."""
    head = config.get("head")
    if head is None:
        return None
    module = model.get_submodule(head["module"])
    weight = full(module.weight)
    return (module.constraint(weight) if hasattr(module, "constraint") else weight), head["gain"]


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
