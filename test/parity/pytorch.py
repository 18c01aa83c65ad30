"""Runs parity cases in PyTorch: python pytorch.py PROGRAMS DTYPE MODE CASE...

A case is a folder with model.py, recipe.json, weights.safetensors and feeds-0.safetensors (feeds-1 ... for training).
Written: outcome.safetensors with `output/<name>`, and in mode `train` also `loss`, `grad/<path>`, `losses`,
`param/<path>`. The modes `inductor` (torch.compile's own) and `aot_eager` compile the model in one graph, forward and
backward, and print the largest difference from the same model uncompiled. `sums` prints how many terms each product of the model adds up, trained and tested.
"""

import importlib.util
import json
import os
import sys

import torch

sys.dont_write_bytecode = True
PROGRAMS, DTYPE, MODE, *CASES = sys.argv[1:]
sys.path.insert(0, PROGRAMS)
import optimise  # noqa: E402
import weights as weight_file  # noqa: E402

dtype = getattr(torch, DTYPE)


def load_model(case: str, contract: dict) -> torch.nn.Module:
    spec = importlib.util.spec_from_file_location("generated", os.path.join(case, "model.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = getattr(module, contract["model"])(initialise=False)
    state, _ = weight_file.load(os.path.join(case, "weights.safetensors"))
    named = {name for name, _ in model.named_parameters()} | {name for name, _ in model.named_buffers() if name in state}
    assert named == set(state), sorted(named ^ set(state))
    model.load_state_dict(state)
    return model.to(dtype)


def feeds_of(case: str, step: int, contract: dict):
    feeds, _ = weight_file.load(os.path.join(case, f"feeds-{step}.safetensors"))
    inputs = [feeds[f"data/{i['name']}"] for i in contract["inputs"]]
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    return inputs, feeds.get("labels", torch.zeros(0)).long()


class Sums(torch.utils._python_dispatch.TorchDispatchMode):
    """How many terms the kernels of products that are called add up."""

    def __init__(self):
        super().__init__()
        self.terms = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in ("mm", "bmm"):
            self.terms.append(args[0].shape[-1])
        elif name == "addmm":
            self.terms.append(args[1].shape[-1])
        elif name == "convolution":
            self.terms.append(args[1][0].numel())
        elif any(word in name for word in ("mm", "mv", "dot", "linear", "conv", "attention")):
            raise NotImplementedError(f"{name}: how many terms are its sums?")
        return func(*args, **(kwargs or {}))


def sums_of(model: torch.nn.Module, inputs) -> list[int]:
    with torch.no_grad(), Sums() as sums:
        model(*inputs)
    return sorted(sums.terms)


def run(case: str) -> None:
    with open(os.path.join(case, "recipe.json")) as file:
        contract = json.load(file)
    model = load_model(case, contract)
    inputs, labels = feeds_of(case, 0, contract)
    if MODE in ("inductor", "aot_eager"):
        compiled = torch.compile(model, fullgraph=True, backend=MODE)
        for training in (False, True):
            model.train(training)
            torch.manual_seed(0)
            expected = model(*inputs)
            torch.manual_seed(0)
            found = compiled(*inputs)
            found.sum().backward()
            # In training the random numbers of a compiled graph are its own.
            if not training:
                apart = (found - expected).abs().max().item()
                print(f"{contract['model']} compiled by {MODE}, one graph: {apart:.1e} apart", flush=True)
        return
    if MODE == "sums":
        print(json.dumps({"train": sums_of(model.train(), inputs), "eval": sums_of(model.eval(), inputs)}), flush=True)
        return
    model.eval()
    outputs = model(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    found = {f"output/{name}": x for name, x in zip(contract["outputs"], outputs)}
    if MODE == "train":
        recipe = contract["recipe"]
        loss = optimise.loss_of(recipe, outputs[0], labels, labels, 1.0, optimise.head_of(model, contract))
        loss.backward()
        found["loss"] = loss
        # Copies: training moves parameters and gradients in place.
        found.update({f"grad/{path}": w.grad.clone() for path, w in model.named_parameters()})
        model.zero_grad(set_to_none=True)
        model.train()
        optimizer = optimise.make_optimizer(model, recipe, contract["groups"])
        losses = []
        step = 1
        while os.path.exists(os.path.join(case, f"feeds-{step}.safetensors")):
            inputs, labels = feeds_of(case, step, contract)
            optimise.set_rate(optimizer, recipe["optimizer"]["args"]["lr"])
            loss = optimise.loss_of(recipe, model(*inputs), labels, labels, 1.0, optimise.head_of(model, contract))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["clip"] or float("inf"))
            optimizer.step()
            if hasattr(model, "project_parameters"):
                model.project_parameters()
            losses.append(loss.item())
            step += 1
        found["losses"] = torch.tensor(losses, dtype=dtype)
        found.update({f"param/{path}": w for path, w in model.state_dict().items()})
    weight_file.save(os.path.join(case, "outcome.safetensors"), found, {})


for case in CASES:
    run(case)
