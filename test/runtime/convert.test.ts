import { existsSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fromLipsformer,
  readWeights,
  toLipsformer,
  type Tensors,
} from "../../src/runtime/convert/convert.ts";
import { ourName, theirName } from "../../src/runtime/convert/lipsformer.ts";
import type { StoredTensor } from "../../src/runtime/safetensors.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { goldenSpec } from "../helpers/golden.ts";
import { lipsc } from "../cli/run.ts";
import { valueOf } from "../onnx/support.ts";

const goldenFile = "test/fixtures/golden/lipsformer-swin-released-mini.safetensors";
const model = modelOf(goldenSpec, "LipsFormerSwinReleasedMini");

/** The authors' state_dict, as their checkpoint has it. */
function authors(): Map<string, StoredTensor> {
  const all = valueOf(readWeights(new Uint8Array(readFileSync(goldenFile)), goldenFile));
  return new Map(
    [...all].filter(([name]) => name.startsWith("weight/")).map(([name, t]) => [name.slice(7), t]),
  );
}

const tensor = (shape: readonly number[]): StoredTensor => ({
  dtype: "F32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

describe("names of LipsFormer", () => {
  it("are ours and theirs, one for one", () => {
    for (const [name] of authors()) {
      const ours = ourName(name);
      expect(ours, name).not.toBeNull();
      expect(theirName(ours ?? "")).toBe(name);
    }
    expect(ourName("layers.2.blocks.17.dwconv_layers.1.bias")).toBe("lips_block.2.17.depthwise_conv_2.bias");
    expect(ourName("layers.0.blocks.0.dwconv_layers.2.bias")).toBeNull();
  });

  it("fit every weight of the released family", () => {
    const small = modelOf("specs/lipsformer-swin.lips", "LipsFormerSwin", {
      depths: "[1, 1, 1, 1]",
      size: "64",
      window: "2",
      dim: "6",
      heads: "[1, 2, 3, 3]",
    });
    expect(small.weights.filter((w) => theirName(w.path) === null).map((w) => w.path)).toEqual([]);
  });
});

describe("weights from the authors' checkpoint", () => {
  it("go under our names, every number the same, and back", () => {
    const theirs = authors();
    const { tensors, ignored } = valueOf(fromLipsformer(goldenFile, theirs, model));
    expect([...tensors.keys()]).toEqual(model.weights.map((w) => w.path));
    expect(ignored).toEqual([]);
    for (const { path, shape } of model.weights) expect(tensors.get(path)?.shape).toEqual(shape);
    const back = valueOf(toLipsformer("ours", tensors, model));
    expect(new Set(back.tensors.keys())).toEqual(new Set(theirs.keys()));
    for (const [name, { shape, data }] of theirs) {
      expect(back.tensors.get(name)?.shape).toEqual(shape);
      expect(back.tensors.get(name)?.data).toEqual(data);
    }
  });

  it("are refused with all that is missing, left over or of another shape", () => {
    const theirs: Map<string, StoredTensor> = authors();
    theirs.delete("head.bias");
    theirs.set("fc.bias", tensor([10]));
    theirs.set("layers.1.blocks.9.norm1.weight", tensor([32]));
    theirs.set("norm.weight", tensor([7]));
    theirs.set("layers.0.blocks.0.attn.relative_position_index", tensor([49, 49]));
    const found = fromLipsformer("file.pth", theirs, model);
    expect(found.ok).toBe(false);
    if (found.ok) return;
    const { message, name } = found.problem;
    expect(name).toBe("weights-differ");
    expect(message).toContain("1 missing\n    head.bias (linear.bias)");
    expect(message).toContain(
      "2 left over\n    fc.bias\n    layers.1.blocks.9.norm1.weight (lips_block.1.9.center_norm.gamma, which",
    );
    expect(message).toContain("1 of another shape\n    norm.weight: [7], and `center_norm_2.gamma` is [32]");
    expect(message).not.toContain("relative_position_index");
  });

  it("name the buffers that they pass over", () => {
    const theirs = authors();
    theirs.set("layers.0.blocks.0.attn.relative_position_index", tensor([49, 49]));
    expect(valueOf(fromLipsformer(goldenFile, theirs, model)).ignored).toEqual([
      "layers.0.blocks.0.attn.relative_position_index",
    ]);
  });
});

describe("a file of torch.save", () => {
  const path = "test/fixtures/torch-save.pth";
  const bytes = new Uint8Array(readFileSync(path));
  const read = (): Tensors => valueOf(readWeights(bytes, path));

  it("is read for its tensors, and nothing in it is run", () => {
    const tensors = read();
    const eighths = Array.from({ length: 12 }, (_, i) => i / 8);
    const of = (name: string) => tensors.get(name);
    expect(of("plain")).toMatchObject({ shape: [3, 4] });
    expect(Array.from(of("plain")?.data ?? [], Number)).toEqual(eighths);
    expect(of("turned")?.shape).toEqual([4, 3]);
    expect(Array.from(of("turned")?.data ?? [], Number).slice(0, 4)).toEqual([0, 0.5, 1, 0.125]);
    expect(Array.from(of("part")?.data ?? [], Number)).toEqual([0.5, 0.75, 1, 1.25]);
    expect(Array.from(of("parameter")?.data ?? [], Number)).toEqual(eighths.map((x) => 2 * x));
    for (const name of ["half", "brain", "double"])
      expect(Array.from(of(name)?.data ?? [], Number)).toEqual(eighths);
    expect(Array.from(of("whole")?.data ?? [], Number)).toEqual([-1, 2 ** 40]);
    expect(Array.from(of("truth")?.data ?? [], Number)).toEqual([1, 0]);
    expect(of("single")).toMatchObject({ shape: [] });
    expect(of("empty")).toMatchObject({ shape: [0, 3] });
    expect(existsSync("a-pickle-was-run")).toBe(false);
  });

  it("that is damaged anywhere is read or refused, never an exception", () => {
    const change = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(change, fc.nat(bytes.length), (changes, length) => {
        const broken = Uint8Array.from(bytes);
        for (const [at, byte] of changes) broken[at] = byte;
        readWeights(broken, path);
        readWeights(broken.subarray(0, length), path);
      }),
      { numRuns: 300 },
    );
  });
});

it("the command says what it passed over and what is wrong", async () => {
  const nothing = await lipsc(
    ...["convert", goldenFile, "--spec", goldenSpec, "--out", "nowhere.safetensors"],
  );
  expect(nothing).toMatchObject({ code: 2 });
  expect(nothing.stderr).toContain("--from lipsformer");
  const wrong = await lipsc(
    ...[
      "convert",
      "test/fixtures/torch-save.pth",
      "--from",
      "lipsformer",
      "--spec",
      goldenSpec,
      "--out",
      "nowhere.safetensors",
    ],
  );
  expect(wrong).toMatchObject({ code: 1 });
  expect(wrong.stderr).toContain("error[LIPS0622]");
  expect(existsSync("nowhere.safetensors")).toBe(false);
});
