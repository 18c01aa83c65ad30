"""Data of a run: IDX files (MNIST's format), .npy arrays, and folders of images, as lipsc reads them."""

import gzip
import math
import os
import struct
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

import augment
from augment import Frame, Random

ENDINGS = (".jpeg", ".jpg", ".png")


@dataclass
class Part:
    """Training or test samples."""

    labels: list[int]
    # Bytes [count, h, w, c], or paths of image files.
    images: Tensor | None = None
    paths: list[str] | None = None
    # ImageNet's crops in place of the whole image.
    crops: bool = False
    classes: list[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def open_data(contract: dict, folder: str | None, here: str) -> tuple[str, Part, Part | None]:
    """Name, training samples, test samples (or None). `contract` is recipe.json, `here` the folder that it lies in.
    Raises SystemExit with a sentence for data that aren't there or don't fit."""
    said = contract["recipe"]["data"]
    if folder is None:
        bundled = os.path.join(here, "data")
        if said is None:
            raise SystemExit("the spec names no data: say --data FOLDER")
        if said["name"] == "images":
            folder = said["args"]["folder"]
        elif os.path.isdir(bundled):
            folder = bundled
        else:
            raise SystemExit(f"`{said['name']}` lies elsewhere: say --data FOLDER")
    if not os.path.isdir(folder):
        raise SystemExit(f"there is no folder {folder}")
    shape = contract["inputs"][0]["shape"]
    if find(folder, "train-images-idx3-ubyte"):
        train, test = idx_part(folder, "train"), idx_part(folder, "t10k")
        name = f"IDX images of {folder}"
    elif os.path.exists(os.path.join(folder, "train-x.npy")) or os.path.exists(os.path.join(folder, "x_train.npy")):
        raise SystemExit("folders of .npy files are read by `lipsc train` only so far; save images or IDX files")
    else:
        imagenet = said is not None and said["name"] == "imagenet"
        train, test = image_parts(folder, imagenet)
        name = f"images of {folder}"
    if train is None:
        raise SystemExit(f"{folder} holds no training samples")
    found = list(train.images.shape[1:]) if train.images is not None else shape
    if found != shape:
        raise SystemExit(f"the model's input is {shape}, but {name} are {found}")
    domain = contract["inputs"][0]["domain"]
    if domain["kind"] == "box" and not (domain["low"] <= 0.0 and 1.0 <= domain["high"]):
        raise SystemExit(f"the input is promised to lie in [{domain['low']}, {domain['high']}], images lie in [0, 1]")
    if max(train.labels) >= contract["classes"]:
        raise SystemExit(f"label {max(train.labels)} of {name} is too large for {contract['classes']} classes")
    return name, train, test


def find(folder: str, base: str) -> str | None:
    paths = [os.path.join(folder, base), os.path.join(folder, base + ".gz")]
    return next((path for path in paths if os.path.exists(path)), None)


def read_idx(path: str) -> Tensor:
    """Unsigned bytes with the file's dimensions."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        data = file.read()
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise SystemExit(f"{path} is no IDX file of unsigned bytes")
    rank = data[3]
    dims = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    if len(data) != 4 + 4 * rank + math.prod(dims):
        raise SystemExit(f"{path} is cut off: its header speaks of {' x '.join(map(str, dims))} entries")
    return torch.frombuffer(bytearray(data[4 + 4 * rank :]), dtype=torch.uint8).reshape(dims)


def idx_part(folder: str, part: str) -> Part | None:
    images, labels = (find(folder, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    if images is None or labels is None:
        return None
    return Part(labels=read_idx(labels).tolist(), images=read_idx(images)[..., None])


def image_parts(folder: str, crops: bool) -> tuple[Part | None, Part | None]:
    """`train/<class>/*` with `val` or `test`, or `<class>/*` alone; a class's number is its place in the sorted names."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise SystemExit("folders of images are read with Pillow: pip install pillow") from None
    train = os.path.join(folder, "train")
    train = train if os.path.isdir(train) else folder
    classes = sorted(entry.name for entry in os.scandir(train) if entry.is_dir())
    if not classes:
        raise SystemExit(f"{train} has no folders with images, one for each class")

    def part(root: str) -> Part:
        paths, labels = [], []
        for label, name in enumerate(classes):
            inside = os.path.join(root, name)
            if not os.path.isdir(inside):
                continue
            for file in sorted(os.listdir(inside)):
                if file.lower().endswith(ENDINGS):
                    paths.append(os.path.join(inside, file))
                    labels.append(label)
        if not paths:
            raise SystemExit(f"{root} holds no {', '.join(ENDINGS)} files in its class folders")
        return Part(labels=labels, paths=paths, crops=crops, classes=classes)

    tests = [os.path.join(folder, name) for name in ("val", "test") if os.path.isdir(os.path.join(folder, name))]
    return part(train), part(tests[0]) if tests and train != folder else None


class Samples(Dataset):
    """(image [h, w, c], label) of (epoch, sample) pairs; training samples are augmented, each from its own numbers."""

    def __init__(self, part: Part, contract: dict, seed: int, training: bool):
        self.part = part
        self.shape = contract["inputs"][0]["shape"]
        self.seed = seed
        self.training = training
        frame = Frame(0.0, 1.0, torch.tensor(contract["mean"]), torch.tensor(contract["deviation"]))
        self.steps = augment.steps_of(contract["recipe"]["augment"], frame) if training else []

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, at: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, sample = at
        random = Random(self.seed, 1, epoch, sample)
        x = self.load(sample, random)
        for step in self.steps:
            x = step(x, random)
        return x.contiguous(), self.part.labels[sample] if epoch >= 0 else -1

    def load(self, sample: int, random: Random) -> Tensor:
        part = self.part
        if part.images is not None:
            return part.images[sample].float() / 255.0
        from PIL import Image

        height, width, channels = self.shape
        with Image.open(part.paths[sample]) as file:
            image = file.convert("RGB" if channels == 3 else "L")
        if part.crops and self.training:
            left, top, w, h = random_part(image.height, image.width, random)
            image = image.resize((width, height), Image.BICUBIC, box=(left, top, left + w, top + h))
        elif part.crops:
            shorter = max(height, width) * 256 // 224
            w, h = image.size
            size = (shorter * w // h, shorter) if h <= w else (shorter, shorter * h // w)
            left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
            image = image.resize(size, Image.BICUBIC).crop((left, top, left + width, top + height))
        else:
            image = image.resize((width, height), Image.BICUBIC)
        x = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        x = x.reshape(height, width, channels).float() / 255.0
        return x.flip(1) if part.crops and self.training and random.uniform() < 0.5 else x


def random_part(height: int, width: int, random: Random) -> tuple[int, int, int, int]:
    """Left, top, width, height: RandomResizedCrop with areas in [0.08, 1] and proportions in [3/4, 4/3]."""
    for _ in range(10):
        area = random.uniform(0.08, 1.0) * height * width
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = math.floor(math.sqrt(area * ratio) + 0.5), math.floor(math.sqrt(area / ratio) + 0.5)
        if 1 <= w <= width and 1 <= h <= height:
            top = random.below(height - h + 1)
            return random.below(width - w + 1), top, w, h
    ratio = width / height
    w = max(1, round(height * 4 / 3)) if ratio > 4 / 3 else width
    h = max(1, round(width * 4 / 3)) if ratio < 3 / 4 else height
    return (width - w) // 2, (height - h) // 2, w, h


class Batches(Sampler):
    """Batches of one process as lists of (epoch, sample), from a step on, to the end of the run.

    Every epoch has an order of its own; what doesn't fill a batch is left out. Of each batch a process takes equal
    parts from its start and its end, mirrored, so that the partners of mixup and cutmix (the batch reversed) meet in
    one process and all processes together do what one would.
    """

    def __init__(self, count: int, batch: int, seed: int, start: int, steps: int, rank: int, world: int):
        self.count, self.batch, self.seed = count, batch, seed
        self.start, self.steps = start, steps
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return self.steps - self.start

    def __iter__(self):
        per_epoch = self.count // self.batch
        order, known = [], -1
        for step in range(self.start, self.steps):
            epoch, at = divmod(step, per_epoch)
            if epoch != known:
                generator = Random(self.seed, 2, epoch).generator
                order, known = torch.randperm(self.count, generator=generator).tolist(), epoch
            batch = order[at * self.batch : (at + 1) * self.batch]
            yield [(epoch, sample) for sample in own_share(batch, self.rank, self.world)]


def own_share(batch: list, rank: int, world: int) -> list:
    if world == 1:
        return batch
    half = len(batch) // (2 * world)
    return batch[rank * half : (rank + 1) * half] + batch[len(batch) - (rank + 1) * half : len(batch) - rank * half]


class TestBatches(Sampler):
    """Every sample once, a part for each process. Parts are filled up to one size with samples that don't count (epoch
    -1), because processes of a sharded model must all call it equally often."""

    def __init__(self, count: int, batch: int, rank: int, world: int):
        own = [(0, sample) for sample in range(rank, count, world)]
        self.own = own + [(-1, 0)] * (math.ceil(count / world) - len(own))
        self.batch = batch

    def __len__(self) -> int:
        return math.ceil(len(self.own) / self.batch)

    def __iter__(self):
        for at in range(0, len(self.own), self.batch):
            yield self.own[at : at + self.batch]
