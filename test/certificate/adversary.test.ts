/** Ways to make a checker read something else than what is written, each tried with the right hashes. */
import { describe, expect, it } from "vitest";
import type { Certificate } from "../../src/certificate/verify/document.ts";
import { parseJson } from "../../src/certificate/verify/json.ts";
import { Refusal } from "../../src/certificate/verify/refusal.ts";
import { readTensors } from "../../src/certificate/verify/safetensors.ts";
import { verify } from "../../src/certificate/verify/verify.ts";
import { modelOf as modelNamed } from "../helpers/elaborated.ts";
import { certificateOf, modelOf, sealed } from "./certificates.ts";

const text = JSON.stringify(certificateOf(modelOf("specs/certified-mlp.lips")));

/** Why it is refused; null where it is accepted. Anything but a Refusal is a bug. */
function refusal(json: string): string | null {
  try {
    verify(json);
    return null;
  } catch (error) {
    if (error instanceof Refusal) return `${error.where}: ${error.message}`;
    throw error;
  }
}

/** A changed document with the hashes that fit. */
function forged(change: (document: any) => unknown): string {
  const document = JSON.parse(text) as Certificate;
  change(document);
  return JSON.stringify(sealed(document));
}

/** Written in place of what JSON.stringify can't write; the seal is that of the text as it is parsed. */
function written(change: (json: string) => string): string {
  const json = change(text);
  expect(json).not.toBe(text);
  const { seal } = sealed(JSON.parse(json) as Certificate);
  return json.replace(/"seal":"[0-9a-f]{64}"/, `"seal":"${seal}"`);
}

describe("a certificate that is read in two ways", () => {
  it("is accepted as it was", () => expect(refusal(text)).toBeNull());

  it.each([
    ["first", (json: string) => json.replace('{"certificate":1', '{"proofs":[],"certificate":1')],
    [
      "the same twice",
      (json: string) => json.replace('{"certificate":1', '{"certificate":1,"certificate":1'),
    ],
    [
      "escaped",
      (json: string) => json.replace('"writtenOut":false', '"written\\u004fut":true,"writtenOut":false'),
    ],
    ["inside", (json: string) => json.replace('"writtenOut":false', '"writtenOut":false,"set":{},"set":{}')],
  ])("two keys of one name, %s", (_, change) => {
    expect(refusal(written(change))).toMatch(/two keys of one name/);
  });

  it("strings may hold what looks like a key", () => {
    for (const json of ['{"a\\":":"\\":","b":["x\\\\","c\\":"]}', '["a",{"b" : "c:"}]', '"a"', "{}"])
      expect(parseJson(json)).toEqual(JSON.parse(json));
    expect(() => parseJson('{"a":{"b":1,"b":1}}')).toThrow(SyntaxError);
  });

  it("keys of every object's prototype are keys like any other", () => {
    for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      const stray = `"${key}":null,`;
      for (const at of ['"writtenOut":', '"lips":', '"layer":', '"spectral":', '"kind":', '"gain":'])
        expect(refusal(written((json) => json.replace(at, stray + at))), `${key} at ${at}`).not.toBeNull();
    }
    const layer = (d: any): unknown => (d.model.nodes[0].layer = "constructor");
    expect(refusal(forged(layer))).toMatch(/no rule/);
  });

  it.each(["1e999", "-1e999", '"1"', '"NaN"', "true", "[1]", "{}"])("a bound of %s", (number) => {
    expect(refusal(written((json) => json.replace(/"gain":\[[^,]+/, `"gain":[${number}`)))).not.toBeNull();
  });

  it.each(["9007199254740993", "1e300", "-1", "0.5", '"0"', "null"])("a value numbered %s", (number) => {
    expect(
      refusal(written((json) => json.replace(/"steps":\[\{"value":\d+/, `"steps":[{"value":${number}`))),
    ).not.toBeNull();
  });

  it("negative zero is zero, and below a gain that isn't", () => {
    expect(
      refusal(written((json) => json.replace(/("value":[1-9]\d*,[^[]+\[[^\]]*\],"gain":\[)[^,]+/, "$1-0"))),
    ).toMatch(/too small/);
  });

  it("nesting without end is refused", () => {
    const deep = (n: number): string => `${"[".repeat(n)}1${"]".repeat(n)}`;
    for (const n of [1500, 5000])
      expect(refusal(text.replace('"matrices":[]', `"matrices":[{"matrix":${deep(n)}}]`))).toMatch(/deep/);
  });
});

describe("a certificate that says less than it seems to", () => {
  it.each([
    ["a phase twice", (d: any) => d.proofs.push(d.proofs[0]), /proven twice/],
    [
      "another phase's proof",
      (d: any) => ([d.proofs[0].phase, d.proofs[1].phase] = ["always", "init"]),
      /known by/,
    ],
    [
      "one weight under two names",
      (d: any) => (d.model.weights[1].path = d.model.weights[0].path),
      /this name/,
    ],
    ["written out without weights", (d: any) => (d.writtenOut = true), /writtenOut/],
    [
      "weights that no proof reads",
      (d: any) => (d.hashes.weights = d.hashes.specs[0] ?? { path: "w", sha256: d.seal }),
      /weights/,
    ],
    [
      "a source twice",
      (d: any) => d.proofs[0].derivations.push(d.proofs[0].derivations[0]),
      /was there before/,
    ],
    ["a step that is left out", (d: any) => d.proofs[0].derivations[0].steps.splice(1, 1), /must come here/],
    [
      "a step that comes twice",
      (d: any) => d.proofs[0].derivations[0].steps.push(d.proofs[0].derivations[0].steps[1]),
      /nothing calls/,
    ],
    [
      "a premise that comes later",
      (d: any) => (d.proofs[0].derivations[0].steps[1].premises = [d.model.values.length - 1]),
      /premises/,
    ],
    [
      "a node that reads itself",
      (d: any) => (d.model.nodes[0].inputs = d.model.nodes[0].outputs),
      /can't read/,
    ],
    ["nodes in another order", (d: any) => d.model.nodes.reverse(), /can't read/],
    ["a weight's facts left out", (d: any) => d.proofs[0].facts.pop(), /one entry for each weight/],
    ["a range left out", (d: any) => (d.proofs[0].ranges[1] = null), /ranges are stated/],
    [
      "a fact that is not the constraint's",
      (d: any) => (d.proofs[1].facts[0].known = "measured"),
      /known by/,
    ],
    ["one value twice as output", (d: any) => d.model.outputs.push(d.model.outputs[0]), /one name/],
  ])("%s", (_, change, why) => {
    expect(refusal(forged(change))).toMatch(why);
  });
});

const odd = `lips 1
block Step(state: [n], u: [m], n: int) -> [n] { (state |> Linear(n) |> Scale(0.5)) + (u |> Linear(n)) }
model Odd {
  input x: [4, 4, 6] in [0, 1]
  input other: [5, 6] in ball(token, 2)
  weights { init: spectral }
  let y = x |> Conv(6, kernel: 3) |> ReLU
  let z = Attend(y, y, y, heads: 2, score: cosine(tau: learned(1, shape: [2]), eps: 1e-2), values: unit(eps: 1e-2),
    position: relative, over: windows(2, shift: 1))
  let w = z |> Residual(Linear(6), alpha: learned(0.5, shape: [6])) |> Pad(1, mode: reflect) |> MeanPool
  let h = other |> Scan(Step(n: 6), start: zeros) |> MeanPool
  output both = w + h
  output states = h
}`;

describe("a model that is none", () => {
  const certificate = certificateOf(modelNamed("odd.lips", "Odd", {}, { "odd.lips": odd }));
  const node = (d: any, layer: string): any => d.model.nodes.find((n: any) => n.layer === layer);
  const attend = (d: any): any => node(d, "Attend").config;
  const weightOf = (d: any, layer: string, name: string): any =>
    d.model.weights[node(d, layer).weights[name]];
  const after = (change: (document: any) => unknown): string | null => {
    const document = JSON.parse(JSON.stringify(certificate)) as Certificate;
    change(document);
    return refusal(JSON.stringify(sealed(document)));
  };

  it("is accepted as it was", () => expect(after(() => null)).toBeNull());

  it.each<[string, (d: any) => unknown]>([
    ["no channels", (d) => (d.model.values[0] = [4, 4, 0])],
    ["half a channel", (d) => (d.model.values[0] = [4, 4, 5.5])],
    ["more entries than numbers count", (d) => (d.model.values[0] = [2 ** 30, 2 ** 30, 6])],
    ["a weight without entries", (d) => (d.model.weights[0].shape = [0])],
    ["a weight transposed", (d) => weightOf(d, "Attend", "position").shape.reverse()],
    ["an empty box", (d) => (d.model.inputs[0].domain = { kind: "box", low: 1, high: 0 })],
    ["a ball of negative radius", (d) => (d.model.inputs[1].domain.radius = -1)],
    ["a ball in no norm", (d) => (d.model.inputs[1].domain.norm = "rms")],
    ["a domain of two kinds", (d) => (d.model.inputs[0].domain.radius = 1)],
    ["an input that is another", (d) => (d.model.inputs[1].value = d.model.inputs[0].value)],
    ["an input that is made", (d) => (d.model.inputs[1].value = node(d, "Conv").outputs[0])],
    ["no heads", (d) => (attend(d).heads = 0)],
    ["heads that don't divide", (d) => (attend(d).heads = 4)],
    ["other heads than numbers of τ", (d) => (attend(d).heads = 3)],
    ["ε of 0", (d) => (attend(d).score.eps = 0)],
    ["ε below 0", (d) => (attend(d).values.eps = -1e-2)],
    ["a window that doesn't divide", (d) => (attend(d).over.size = 3)],
    ["a shift as large as the window", (d) => (attend(d).over.shift = 2)],
    ["a shift backwards", (d) => (attend(d).over.shift = -1)],
    ["a shift and a local convolution", (d) => (attend(d).local = { kernel: 3, bias: false })],
    ["a region of a sequence", (d) => (attend(d).over = { kind: "grid", size: 5 })],
    ["a key that the score doesn't have", (d) => (attend(d).score.scale = attend(d).score.tau)],
    ["fewer keys than values", (d) => (node(d, "Attend").inputs[1] = d.model.inputs[1].value)],
    ["two inputs for three", (d) => node(d, "Attend").inputs.pop()],
    ["τ that is no weight of the node", (d) => (attend(d).score.tau.weight = 0)],
    ["τ of another shape", (d) => (attend(d).score.tau.shape = [])],
    ["α that the node doesn't name", (d) => (node(d, "Residual").weights = {})],
    [
      "α for another number of channels",
      (d) => (d.model.weights[node(d, "Residual").config.alpha.weight].shape = [3]),
    ],
    ["a weight that nothing reads", (d) => (node(d, "ReLU").weights = { weight: 0 })],
    ["a kernel of no taps", (d) => (node(d, "Conv").config.kernel = 0)],
    ["a stride of 0", (d) => (node(d, "Conv").config.stride = 0)],
    ["a dilation of 0", (d) => (node(d, "Conv").config.dilation = 0)],
    ["padding below 0", (d) => (node(d, "Conv").config.padding = -1)],
    ["windows that don't fit", (d) => (node(d, "Conv").config.dilation = 9)],
    ["groups", (d) => (node(d, "Conv").config.groups = 2)],
    ["more padding than there is to reflect", (d) => (node(d, "Pad").config.before = [4, 1])],
    ["padding of other axes", (d) => node(d, "Pad").config.before.push(0)],
    ["a body that is none", (d) => (node(d, "Scan").body = null)],
    ["a body where there is none", (d) => (node(d, "ReLU").body = node(d, "Scan").body)],
    ["a body without its result", (d) => (node(d, "Scan").body.result = d.model.values.length - 1)],
    ["a body's value read outside", (d) => (node(d, "ReLU").inputs = [node(d, "Scan").body.result])],
    ["an output inside of a body", (d) => (d.model.outputs[0].value = node(d, "Scan").body.result)],
    ["a value that nothing makes", (d) => d.model.values.push([1])],
    ["a node that makes one value twice", (d) => node(d, "ReLU").outputs.push(node(d, "ReLU").outputs[0])],
    [
      "a constraint and a range",
      (d) => {
        d.model.weights[0].constraint = { kind: "spectral", bound: 1 };
        d.model.weights[0].range = [-1, 1];
      },
    ],
    ["a range from right to left", (d) => (d.model.weights[0].range = [1, -1])],
    ["a deviation below 0", (d) => (d.model.weights[0].init = { kind: "trunc_normal", std: -1 })],
    ["a start of no numbers", (d) => (d.model.weights[0].init = { kind: "constant", values: [] })],
    ["no source", (d) => (d.proofs[0].derivations[0].source = 10 ** 6)],
    ["a source inside of a body", (d) => (d.proofs[0].derivations[0].source = node(d, "Scan").body.result)],
  ])("%s", (_, change) => expect(after(change)).not.toBeNull());
});

type Header = { [name: string]: unknown };

function file(header: Header | string, size: number): Uint8Array {
  const head = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + head.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  return bytes;
}

const tensor = (from: unknown, to: unknown, shape: unknown = [1], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

describe("a weights file", () => {
  const read = (header: Header | string, size: number): unknown => readTensors(file(header, size))("a");

  it("is read as it should be", () => {
    expect(read({ __metadata__: { by: "test" }, b: tensor(4, 8), a: tensor(0, 4) }, 8)).toEqual({
      shape: [1],
      data: new Float32Array(1),
    });
    expect(read({ e: tensor(4, 4, [0]), a: tensor(0, 4) }, 4)).toBeTruthy();
  });

  it.each<[string, Header | string, number]>([
    ["with bytes that no tensor has", { a: tensor(0, 4) }, 8],
    ["with a gap", { a: tensor(0, 4), b: tensor(8, 12) }, 12],
    ["with bytes that two tensors have", { a: tensor(0, 8, [2]), b: tensor(4, 12, [2]) }, 12],
    ["with one tensor inside of another", { a: tensor(0, 4), b: tensor(0, 8, [2]) }, 8],
    [
      "with one name twice",
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      8,
    ],
    ["with an end before its beginning", { a: tensor(4, 0), b: tensor(4, 8) }, 8],
    ["with text for numbers", { a: tensor("0", "4") }, 4],
    ["with text in a shape", { a: tensor(0, 4, ["1"]) }, 4],
    ["with negative sizes", { a: tensor(0, 16, [-2, -2]) }, 16],
    ["with a shape of another size", { a: tensor(0, 4, [2]) }, 4],
    ["of other numbers", { a: tensor(0, 4, [1], "I32") }, 4],
    ["without the tensor", { b: tensor(0, 4) }, 4],
    ["with a list for a header", "[]", 0],
    ["with null for a header", "null", 0],
    ["with null for a tensor", { a: null }, 0],
  ])("%s is refused", (_, header, size) => {
    expect(() => read(header, size)).toThrow(Refusal);
  });

  it("with a header longer than itself is refused", () => {
    const bytes = file({ a: tensor(0, 4) }, 4);
    new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true);
    expect(() => readTensors(bytes)).toThrow(Refusal);
  });
});
