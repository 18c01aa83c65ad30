"""Makes test/fixtures/torch-save.pth: a small checkpoint with all that the reader of .pth files must know or ignore."""

import argparse
import collections
import os
import sys

import torch


class Hostile:
    """What a pickle can do to a reader that runs it."""

    def __reduce__(self):
        return (os.system, ("touch a-pickle-was-run",))


numbers = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
state = collections.OrderedDict(
    {
        "module.plain": numbers,
        "module.turned": numbers.t(),
        "module.part": numbers[1:, ::2],
        "module.parameter": torch.nn.Parameter(numbers * 2),
        "module.half": numbers.half(),
        "module.brain": numbers.bfloat16(),
        "module.double": numbers.double(),
        "module.whole": torch.tensor([-1, 2**40]),
        "module.truth": torch.tensor([True, False]),
        "module.single": torch.tensor(0.5),
        "module.empty": torch.zeros(0, 3),
    }
)
config = argparse.Namespace(depths=[2, 2, 6, 2], drop=0.2, name="tiny", none=None, large=10**30)
torch.save({"model": state, "epoch": 3, "config": config, "hostile": Hostile()}, sys.argv[1])
