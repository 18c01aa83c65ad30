"""Gradients of the released LipsFormer (mini) by PyTorch's autograd in float64.

The released golden file's own gradients behind the two convolutional branches are not those of its loss (central
differences show it, test/layers/golden.test.ts); its weights, input, logits and loss are sound. This script takes those,
computes the network as docs and paper describe it, and writes every gradient under the authors' names.

    python3 scripts/golden-gradients.py GOLDEN.safetensors OUT.safetensors
"""
import json
import struct
import sys

import torch
import torch.nn.functional as F


def load(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    kinds = {"F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        raw = bytearray(data[8 + length + start : 8 + length + end])
        tensors[name] = torch.frombuffer(raw, dtype=kinds[entry["dtype"]]).reshape(entry["shape"]).clone()
    return tensors


def save(path, tensors, metadata):
    header, body = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + body)


golden = load(sys.argv[1])
W = {name[7:]: t.double().requires_grad_(True) for name, t in golden.items() if name.startswith("weight/")}


def center_norm(x, name):
    d = x.shape[-1]
    return W[name + ".weight"] * d / (d - 1) * (x - x.mean(-1, keepdim=True)) + W[name + ".bias"]


def linear(x, name):
    return F.linear(x, W[name + ".weight"], W.get(name + ".bias"))


def attention(x, name, heads, w=7):
    b, h, wd, c = x.shape
    x = x.view(b, h // w, w, wd // w, w, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, c)
    q, k, v = linear(x, name + ".qkv").reshape(-1, w * w, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
    logits = 10 * F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
    at = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij")).flatten(1)
    offset = (at[:, :, None] - at[:, None, :]).permute(1, 2, 0) + w - 1
    index = offset[..., 0] * (2 * w - 1) + offset[..., 1]
    table = W[name + ".relative_position_bias_table"]
    logits = logits + table[index.view(-1)].view(w * w, w * w, -1).permute(2, 0, 1)
    out = linear((logits.softmax(-1) @ v).transpose(1, 2).reshape(-1, w * w, c), name + ".proj")
    return out.view(b, h // w, wd // w, w, w, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, wd, c)


def block(x, name, heads):
    c = x.shape[-1]

    def conv(x, module, groups, padding):
        y = F.conv2d(x.permute(0, 3, 1, 2), W[module + ".weight"], W[module + ".bias"], padding=padding, groups=groups)
        return y.permute(0, 2, 3, 1)

    f = F.gelu(conv(F.gelu(conv(x, name + ".dwconv_layers.0", c, 3)), name + ".nin", 1, 0))
    x = x + W[name + ".scale_layers.0.scale"] * f
    x = x + W[name + ".scale_layers.1.scale"] * F.gelu(conv(x, name + ".dwconv_layers.1", c, 3))
    x = center_norm(x + W[name + ".alpha1.scale"] * attention(x, name + ".attn", heads), name + ".norm1")
    mlp = linear(F.gelu(linear(x, name + ".mlp.fc1")), name + ".mlp.fc2")
    return center_norm(x + W[name + ".alpha2.scale"] * mlp, name + ".norm2")


x = F.conv2d(golden["input"].double(), W["patch_embed.proj.weight"], W["patch_embed.proj.bias"], stride=4)
x = block(center_norm(x.permute(0, 2, 3, 1), "patch_embed.norm"), "layers.0.blocks.0", 2)
x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
x = linear(center_norm(x, "layers.0.downsample.norm"), "layers.0.downsample.reduction")
x = block(block(x, "layers.1.blocks.0", 4), "layers.1.blocks.1", 4)
logits = linear(center_norm(x, "norm").mean((1, 2)), "head")
assert (logits - golden["logits"]).abs().max() < 1e-6
F.cross_entropy(logits, golden["labels"]).backward()
made = f"PyTorch {torch.__version__}, autograd in float64, rounded to float32"
save(sys.argv[2], {"grad/" + name: w.grad for name, w in sorted(W.items())}, {"made_by": made, "of": "lipsformer-swin-released-mini"})
