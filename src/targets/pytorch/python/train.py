"""Trains the model of model.py by the recipe of the spec (recipe.json).

    python train.py                                  one process
    torchrun --nproc_per_node 8 train.py             data parallel; --fsdp shards weights and optimiser too
    python train.py --resume runs/1                  goes on where a run stopped

A run's folder holds config.json, metrics.jsonl, checkpoint.safetensors (weights, optimiser state, place in the run) and,
at its end, model.safetensors, whose names are the spec's: `lipsc eval` and every other target read it.
"""

import argparse
import contextlib
import gc
import json
import os
import signal
import sys
import time

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader

import augment
import model as model_file
import weights as weight_file
from data import Batches, Samples, TestBatches, open_data
from optimise import Average, full, head_of, learning_rate, like, loss_of, make_optimizer, set_rate

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of IDX files or of images; else the spec's own data")
    parser.add_argument("--weights", help="start from this .safetensors file; else initial.safetensors")
    parser.add_argument("--out", help="folder of the run; else runs/1, runs/2, ...")
    parser.add_argument("--resume", help="folder of a run to go on with")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--steps", type=int, help="in place of epochs")
    parser.add_argument("--batch", type=int, help="samples in a step, over all processes")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", help="cuda, cpu, mps; else cuda where it is there")
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="automatic mixed precision")
    parser.add_argument("--fsdp", action="store_true", help="shard weights, gradients and optimiser state")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare data; 0: none")
    parser.add_argument("--log-every", type=int, default=10, help="steps between lines")
    parser.add_argument("--checkpoint-every", type=int, help="steps between checkpoints; else at each epoch's end")
    parser.add_argument("--stop-after", type=int, help="save and stop after this step, as Ctrl-C would")
    return parser.parse_args()


class Processes:
    """The processes of the run: one, or those that torchrun started."""

    def __init__(self, device: str | None):
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.device = torch.device(kind, int(os.environ.get("LOCAL_RANK", 0))) if kind == "cuda" else torch.device(kind)
        if kind == "cuda":
            torch.cuda.set_device(self.device)
        if "RANK" in os.environ:
            dist.init_process_group("nccl" if kind == "cuda" else "gloo")

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, *numbers: float) -> list[float]:
        """Sums over all processes."""
        if self.world == 1:
            return list(numbers)
        together = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(together)
        return together.tolist()

    def say(self, line: str) -> None:
        if self.first:
            print(line, flush=True)


def settings(args: argparse.Namespace) -> tuple[dict, str, bool]:
    """recipe.json with what the command line says, the run's folder, and whether it goes on with a run."""
    if args.resume:
        with open(os.path.join(args.resume, "config.json")) as file:
            config = json.load(file)
        for name in ("epochs", "steps", "batch", "lr", "seed", "weights"):
            if getattr(args, name) is not None:
                raise SystemExit(f"--{name} can't be changed in a run that goes on; its config.json holds what it began with")
        args.data = args.data or config["data"]
        return config, args.resume, True
    with open(os.path.join(HERE, "recipe.json")) as file:
        config = json.load(file)
    recipe = config["recipe"]
    if args.steps is not None or args.epochs is not None:
        recipe["steps"], recipe["epochs"] = args.steps, args.epochs
    for name in ("batch", "seed"):
        recipe[name] = getattr(args, name) if getattr(args, name) is not None else recipe[name]
    if args.lr is not None:
        recipe["optimizer"]["args"]["lr"] = args.lr
    config["data"] = os.path.abspath(args.data) if args.data else None
    folder = args.out
    if folder is None:
        number = 1
        while os.path.exists(os.path.join("runs", str(number))):
            number += 1
        folder = os.path.join("runs", str(number))
    elif os.path.exists(os.path.join(folder, "config.json")):
        raise SystemExit(f"{folder} holds a run already; go on with it: --resume {folder}")
    return config, folder, False


class Run:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.processes = Processes(args.device)
        config, self.folder, resumed = settings(args)
        self.config, self.recipe = config, config["recipe"]
        recipe, processes = self.recipe, self.processes
        self.mixes = any(option["name"] in ("mixup", "cutmix") for option in recipe["augment"])
        if recipe["batch"] % (2 * processes.world) and processes.world > 1:
            raise SystemExit(f"a batch of {recipe['batch']} doesn't part into {processes.world} even shares")
        name, self.train, self.test = open_data(config, args.data, HERE)
        self.per_epoch = len(self.train) // recipe["batch"]
        if self.per_epoch == 0:
            raise SystemExit(f"{name} hold {len(self.train)} samples, fewer than one batch of {recipe['batch']}")
        self.steps = recipe["steps"] or (recipe["epochs"] or 10) * self.per_epoch
        self.amp = args.amp or ("bf16" if recipe["precision"] == "bfloat16" else None)

        self.model = getattr(model_file, config["model"])(initialise=False).to(processes.device)
        start = os.path.join(self.folder, "checkpoint.safetensors") if resumed else args.weights
        state, self.metadata = weight_file.load(start or os.path.join(HERE, "initial.safetensors"))
        own = {path: tensor for path, tensor in state.items() if not path.startswith("optimizer/")}
        self.model.load_state_dict(own)
        # Averages begin at the weights before they are sharded or wrapped.
        self.step = int(self.metadata.get("step", 0)) if resumed else 0
        # Sums over the epoch so far, for its averages.
        self.epoch_loss = float(self.metadata.get("epochLoss", 0)) if resumed else 0.0
        self.epoch_hits = float(self.metadata.get("epochCorrect", 0)) if resumed else 0.0
        self.wrapped = self.wrap()
        self.optimizer = make_optimizer(self.model, recipe, config["groups"])
        average = recipe["average"]
        self.average = Average(self.model, average["args"]["decay"]) if average else None
        if resumed:
            self.restore(state)
        self.scaler = self.make_scaler()
        if dist.is_initialized():
            # All have looked whether the folder is free before the first one takes it.
            dist.barrier()
        if processes.first and not resumed:
            os.makedirs(self.folder, exist_ok=True)
            with open(os.path.join(self.folder, "config.json"), "w") as file:
                json.dump(config, file, indent=1)
        self.board = self.tensorboard()
        count = sum(w.numel() for w in own.values())
        said = f", {processes.world} processes" if processes.world > 1 else ""
        processes.say(f"model    {config['model']}: {count:,} parameters")
        processes.say(f"data     {name}: {len(self.train):,} training, {len(self.test or []):,} test samples")
        processes.say(
            f"engine   PyTorch {torch.__version__} on {processes.device}{said}"
            f"{', FSDP' if args.fsdp else ''}{', ' + self.amp if self.amp else ''}"
        )
        processes.say(
            f"run      {self.folder}: {self.steps} steps of {recipe['batch']}, seed {recipe['seed']}"
            f"{f', resumed at step {self.step}' if resumed else ''}"
        )
        # Accuracy is: every test of an epoch says it.
        report = ", ".join(option["name"] for option in recipe["report"] if option["name"] != "accuracy")
        if report:
            processes.say(f"report   {report}: not measured here; of model.safetensors lipsc eval --certify and audit do")

    def wrap(self) -> nn.Module:
        """What is called in a step: the model, sharded or data parallel, compiled where that is asked for."""
        args, processes = self.args, self.processes
        wrapped: nn.Module = self.model
        if args.fsdp:
            if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
                raise SystemExit(f"--fsdp needs PyTorch 2.6 or newer, this is {torch.__version__}")
            from torch.distributed.fsdp import fully_shard

            if not dist.is_initialized():
                raise SystemExit("--fsdp needs torchrun: torchrun --nproc_per_node 8 train.py --fsdp")
            # Blocks in a list are units of their own, so that one is gathered while another computes.
            for module in self.model.modules():
                if isinstance(module, nn.ModuleList):
                    for block in module:
                        if not isinstance(block, nn.ModuleList):
                            fully_shard(block)
            fully_shard(self.model)
        elif dist.is_initialized():
            ids = [processes.device.index] if processes.device.type == "cuda" else None
            wrapped = nn.parallel.DistributedDataParallel(self.model, device_ids=ids)
        return torch.compile(wrapped) if args.compile else wrapped

    def make_scaler(self):
        """Loss scaling for float16, which loses small gradients otherwise."""
        if self.amp != "fp16":
            return None
        if hasattr(torch, "amp") and hasattr(torch.amp, "GradScaler"):
            return torch.amp.GradScaler(self.processes.device.type)
        return torch.cuda.amp.GradScaler(enabled=self.processes.device.type == "cuda")

    def autocast(self):
        if self.amp is None:
            return contextlib.nullcontext()
        dtype = torch.bfloat16 if self.amp == "bf16" else torch.float16
        return torch.autocast(self.processes.device.type, dtype=dtype)

    def tensorboard(self):
        if not self.processes.first:
            return None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        return SummaryWriter(self.folder)

    def go(self) -> None:
        recipe, processes = self.recipe, self.processes
        stop = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.append(True))
        self.forget_metrics()
        batches = Batches(
            len(self.train), recipe["batch"], recipe["seed"], self.step, self.steps, processes.rank, processes.world
        )
        loader = DataLoader(
            Samples(self.train, self.config, recipe["seed"], training=True),
            batch_sampler=batches,
            num_workers=self.args.workers,
            pin_memory=processes.device.type == "cuda",
        )
        began, first = time.monotonic(), self.step
        for x, labels in loader:
            loss, hits, norm = self.take_step(x.to(processes.device), labels.to(processes.device))
            self.epoch_loss += loss
            self.epoch_hits += hits * recipe["batch"]
            self.step += 1
            if self.step % self.args.log_every == 0 or self.step == self.steps:
                self.tell(loss, hits, norm, time.monotonic() - began, self.step - first)
            ended = self.step % self.per_epoch == 0 or self.step == self.steps
            every = self.args.checkpoint_every
            asked = processes.total(float(bool(stop) or self.step == self.args.stop_after))[0] > 0
            if ended:
                self.end_epoch(time.monotonic() - began)
            if ended or asked or (every and self.step % every == 0):
                self.save()
            if asked and self.step < self.steps:
                processes.say(f"saved at step {self.step} of {self.steps}; go on with: --resume {self.folder}")
                return
        self.finish()

    def take_step(self, x: Tensor, labels: Tensor) -> tuple[float, float, float]:
        """Loss, share of hits and gradient norm, all before the update."""
        recipe, processes = self.recipe, self.processes
        epoch, at = divmod(self.step, self.per_epoch)
        # Dropout's numbers depend on seed, step and process alone, so that a resumed run draws the same ones.
        torch.manual_seed(augment.Random(recipe["seed"], 3, self.step, processes.rank).generator.initial_seed())
        share = 1.0
        if self.mixes:
            x, share = augment.mix(x, recipe["augment"], augment.Random(recipe["seed"], 4, epoch, at))
        others = labels.flip(0)
        set_rate(self.optimizer, learning_rate(recipe, self.step, self.steps, self.per_epoch))
        self.wrapped.train()
        with self.autocast():
            logits = self.wrapped(x)
            loss = loss_of(recipe, logits, labels, others, share, head_of(self.model, self.config))
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler:
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)
        else:
            loss.backward()
        norm = full(nn.utils.clip_grad_norm_(self.model.parameters(), recipe["clip"] or float("inf")))
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        if hasattr(self.model, "project_parameters"):
            self.model.project_parameters()
        if self.average:
            self.average.update(self.model)
        target = labels if share >= 0.5 else others
        hits = (logits.argmax(-1) == target).float().mean()
        total = processes.total(loss.item(), hits.item())
        if total[0] != total[0]:
            raise SystemExit(f"the loss is not a number after step {self.step + 1}; last checkpoint: {self.folder}")
        return total[0] / processes.world, total[1] / processes.world, norm.item()

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float] | None:
        """Mean loss, by the recipe but without mixing, and accuracy, of the test samples."""
        if self.test is None:
            return None
        processes = self.processes
        own = TestBatches(len(self.test), self.recipe["batch"], processes.rank, processes.world)
        samples = Samples(self.test, self.config, 0, training=False)
        loader = DataLoader(samples, batch_sampler=own, num_workers=self.args.workers)
        self.model.eval()
        if self.average:
            self.average.swap(self.model)
        loss, hits, count = 0.0, 0.0, 0.0
        for x, labels in loader:
            labels = labels.to(processes.device)
            with self.autocast():
                # The model itself: DDP's wrapper has nothing to do here.
                logits = self.model(x.to(processes.device))
            logits, labels = logits[labels >= 0], labels[labels >= 0]
            if len(labels) > 0:
                own_loss = loss_of(self.recipe, logits, labels, labels, 1.0, head_of(self.model, self.config))
                loss += own_loss.item() * len(labels)
                hits += (logits.argmax(-1) == labels).sum().item()
                count += len(labels)
        if self.average:
            self.average.swap(self.model)
        loss, hits, count = processes.total(loss, hits, count)
        return loss / count, hits / count

    def tell(self, loss: float, hits: float, norm: float, seconds: float, done: int) -> None:
        lr = learning_rate(self.recipe, self.step - 1, self.steps, self.per_epoch)
        speed = done * self.recipe["batch"] / seconds
        left = (self.steps - self.step) * seconds / done
        epoch = (self.step - 1) // self.per_epoch + 1
        self.processes.say(
            f"epoch {epoch:3} step {self.step:6}/{self.steps}  loss {loss:.4f}  accuracy {100 * hits:5.1f} %  lr {lr:.2e}  "
            f"gradient {norm:.3g}  {speed:.0f} samples/s  {left:.0f} s left"
        )
        numbers = {"loss": loss, "accuracy": hits, "lr": lr, "gradNorm": norm}
        self.note({"kind": "step", "step": self.step, "epoch": epoch, **numbers, "seconds": round(seconds, 3)})

    def end_epoch(self, seconds: float) -> None:
        tested = self.evaluate()
        done = (self.step - 1) % self.per_epoch + 1
        numbers = {
            "trainLoss": self.epoch_loss / done,
            "trainAccuracy": self.epoch_hits / (done * self.recipe["batch"]),
        }
        self.epoch_loss, self.epoch_hits = 0.0, 0.0
        epoch = (self.step - 1) // self.per_epoch + 1
        test = f", test loss {tested[0]:.4f}, accuracy {100 * tested[1]:.1f} %" if tested else ""
        accuracy = f"{100 * numbers['trainAccuracy']:.1f} %"
        self.processes.say(f"epoch {epoch:3} done: loss {numbers['trainLoss']:.4f}, accuracy {accuracy}{test}")
        if tested:
            numbers.update(testLoss=tested[0], testAccuracy=tested[1])
        self.note({"kind": "epoch", "step": self.step, "epoch": epoch, **numbers, "seconds": round(seconds, 3)})

    def note(self, line: dict) -> None:
        """One line of metrics.jsonl, and TensorBoard's."""
        if not self.processes.first:
            return
        with open(os.path.join(self.folder, "metrics.jsonl"), "a") as file:
            file.write(json.dumps(line) + "\n")
        if self.board:
            for name, value in line.items():
                if isinstance(value, float) and name != "seconds":
                    self.board.add_scalar(name, value, line["step"])

    def forget_metrics(self) -> None:
        """Drops lines past the step that the run goes on from, so that no stretch is told twice."""
        path = os.path.join(self.folder, "metrics.jsonl")
        if not self.processes.first or not os.path.exists(path):
            return
        with open(path) as file:
            lines = [line for line in file if line.endswith("\n") and json.loads(line)["step"] <= self.step]
        with open(path, "w") as file:
            file.writelines(lines)

    def state(self) -> dict[str, Tensor]:
        """Weights under their paths, optimiser state and averages under `optimizer/`; whole, on every process."""
        state = {path: full(tensor) for path, tensor in self.model.state_dict().items()}
        slots = {"exp_avg": "m", "exp_avg_sq": "v", "momentum_buffer": "m"}
        for path, weight in self.model.named_parameters():
            for name, value in self.optimizer.state[weight].items():
                if name in slots and value is not None:
                    state[f"optimizer/{slots[name]}/{path}"] = full(value)
            if self.average:
                state[f"optimizer/ema/{path}"] = full(self.average.weights[path])
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        slots = {"m": "momentum_buffer" if self.recipe["optimizer"]["name"] == "sgd" else "exp_avg", "v": "exp_avg_sq"}
        for path, weight in self.model.named_parameters():
            own = {}
            for slot, name in slots.items():
                if f"optimizer/{slot}/{path}" in state:
                    own[name] = like(state[f"optimizer/{slot}/{path}"], weight)
            if own:
                if "exp_avg_sq" in own:
                    own["step"] = torch.tensor(float(self.step))
                self.optimizer.state[weight] = own
            if self.average:
                self.average.weights[path] = like(state[f"optimizer/ema/{path}"], weight)

    def save(self) -> None:
        state = self.state()
        if self.processes.first:
            place = {"step": self.step, "epochLoss": self.epoch_loss, "epochCorrect": self.epoch_hits}
            metadata = {
                **self.kept_metadata(),
                "format": "lipsc checkpoint 1",
                **{name: repr(value) for name, value in place.items()},
            }
            weight_file.save(os.path.join(self.folder, "checkpoint.safetensors"), state, metadata)

    def kept_metadata(self) -> dict[str, str]:
        """What says which model the weights are of, from the file that they came from."""
        return {name: self.metadata[name] for name in ("model", "modelHash") if name in self.metadata}

    def finish(self) -> None:
        if self.average:
            self.average.swap(self.model)
        state = {path: full(tensor) for path, tensor in self.model.state_dict().items()}
        path = os.path.join(self.folder, "model.safetensors")
        if self.processes.first:
            weight_file.save(path, state, {**self.kept_metadata(), "format": "lipsc weights 1"})
        self.processes.say(f"weights  {path}")


def main() -> None:
    try:
        Run(arguments()).go()
        if dist.is_initialized():
            # No process leaves while another still talks to it, nor with work of its own under way.
            gc.collect()
            dist.barrier()
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
