/** What a spec means: one test per decision of language.md that elaboration carries out. */
import { describe, expect, test } from "vitest";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import { allNodes, violations } from "../../src/model/legality.ts";
import type { Model, Node } from "../../src/model/model.ts";
import { compare, fromNumber, rational } from "../../src/elaborate/rational.ts";
import { filesOf } from "../../src/text/source.ts";
import { elaborate, elaborateAt, hostOf, modelNamed, modelOf, parametersOf } from "./host.ts";

/** A model on 8 x 8 maps of 6 channels; statements are parted by ` ; `. */
function on(text: string, before = "", params = ""): string {
  const body = text.split(" ; ").join("\n  ");
  return `${before}\nmodel M${params} {\n  input x: [8, 8, 6] in [0, 1]\n  ${body}\n}\n`;
}
const make = (text: string, before = "", params = ""): Model => modelOf(on(text, before, params));
const paths = (model: Model): string[] => model.weights.map((w) => w.path);
const layersOf = (model: Model): string[] => model.nodes.map((n) => n.layer);
const nodeOf = (model: Model, layer: string): Node => {
  const node = [...allNodes(model.nodes)].find((n) => n.layer === layer);
  if (!node) throw new Error(`no ${layer}`);
  return node;
};

describe("layers are recipes", () => {
  test("each application has its own weights", () => {
    const source = on("let f = Linear(6, bias: false) ; output y = x |> f |> f");
    expect(elaborate(source).names).toEqual(["applied-twice"]);
    expect(paths(elaborate(source).models[0])).toEqual(["f.weight", "f_2.weight"]);
  });

  test("shared ties them", () => {
    const model = make("let f = shared(Linear(6, bias: false)) ; output y = x |> f |> f");
    expect(paths(model)).toEqual(["f.weight"]);
    expect(model.nodes.map((n) => n.weights.weight)).toEqual([0, 0]);
    expect(model.nodes.map((n) => n.path)).toEqual(["f", "f_2"]);
  });

  test("shared ties a whole block, loops and branches included", () => {
    const block =
      "block B(x: [..., d]) -> [..., d] {\n for i in range(2) { x = x |> Linear(d) |> Residual(Linear(d), alpha: learned(1/3, shape: [d])) }\n x }";
    const model = make("let f = shared(B) ; for i in range(3) { x = x |> f } ; output y = x", block);
    expect(model.weights).toHaveLength(10);
    expect(model.nodes).toHaveLength(18);
    expect(violations(model)).toEqual([]);
  });

  test("a block that is shared inside of a shared one", () => {
    const block = "block B(x: [..., d]) -> [..., d] {\n let f = shared(Linear(d))\n x |> f |> f }";
    const model = make("let g = shared(B) ; output y = x |> g |> g", block);
    expect(paths(model)).toEqual(["g.f.weight", "g.f.bias"]);
    expect(model.nodes).toHaveLength(4);
  });

  test("learned through a let is made anew, unless shared or computed", () => {
    const twice = make("let p = learned(0, shape: [8, 8, 6]) ; output y = (x + p) + p");
    expect(paths(twice)).toEqual(["p.value", "p_2.value"]);
    const tied = make("let p = shared(learned(0, shape: [8, 8, 6])) ; output y = (x + p) + p");
    expect(paths(tied)).toEqual(["p.value"]);
    const value = make("let p = x + learned(0, shape: [8, 8, 6]) ; output y = p + p");
    expect(paths(value)).toEqual(["learned.value"]);
  });

  test("calls without tensors are layers, and pipes of layers compose", () => {
    const model = make("let f = LayerNorm |> Linear(6) ; let g = f |> GELU ; output y = x |> Residual(g)");
    expect(layersOf(model)).toEqual(["LayerNorm", "Linear", "GELU", "Residual"]);
  });

  test("F(v, …) and v |> F(…) are the same", () => {
    const a = make(
      "let [q, k, v] = x |> Linear(18) |> Split(3) ; output y = Attend(q, k, v, heads: 2, score: dot)",
    );
    const b = make(
      "let [q, k, v] = x |> Linear(18) |> Split(3) ; output y = q |> Attend(k, v, heads: 2, score: dot)",
    );
    const c = make(
      "let [q, k, v] = x |> Linear(18) |> Split(3) ; output y = v |> Attend(q: q, k: k, heads: 2, score: dot)",
    );
    for (const other of [b, c])
      expect(other.nodes.map((n) => [n.layer, n.inputs])).toEqual(a.nodes.map((n) => [n.layer, n.inputs]));
  });

  test("arguments may be given in parts", () => {
    const block =
      "block B(x: [..., d], width: int, act: Layer = GELU, twice: bool = false) -> [..., width] { x |> Linear(width) |> act }";
    const model = make("let f = B(width: 4) ; let g = f(act: ReLU) ; output y = x |> g", block);
    expect(layersOf(model)).toEqual(["Linear", "ReLU"]);
  });

  test("defaults are evaluated at application and know the dimensions", () => {
    const block =
      "block B(x: [..., d], out: int = 2 * d, more: int = out + 1) -> [..., more] { x |> Linear(out) |> Linear(more) }";
    expect(make("output y = x |> B", block).values.map((v) => v.shape.at(-1))).toEqual([6, 12, 13]);
    expect(make("output y = x |> B(more: 3)", block).values.map((v) => v.shape.at(-1))).toEqual([6, 12, 3]);
  });

  test("a block without tensors makes one", () => {
    const block = "block Position(n: int, d: int) -> [n, d] { learned(trunc_normal(0.02), shape: [n, d]) }";
    const model = make("let t = x |> Flatten(tokens) ; output y = t + Position(64, 6)", block);
    expect(paths(model)).toEqual(["position.learned.value"]);
  });
});

describe("names", () => {
  test("let and =", () => {
    const model = make(
      "let n = 0 ; let y = x ; for i in range(3) { n = n + i\n y = y |> Linear(n + 1) } ; output z = y |> Linear(n)",
    );
    expect(model.values.map((v) => v.shape.at(-1))).toEqual([6, 1, 2, 4, 3]);
  });

  test("a let in a loop is new in each round, and inner bodies see outer names", () => {
    const model = make(
      "let w = 5 ; for i in range(2) { let v = w + i\n if i == 1 { let v = 2\n x = x |> Linear(v) } else { x = x |> Linear(v) } } ; output y = x",
    );
    expect(model.values.map((v) => v.shape.at(-1))).toEqual([6, 5, 2]);
  });

  test("else if, and, or, not look only as far as they must", () => {
    const model = make(
      "let a = [1] ; let w = 1 ; if len(a) > 1 and a[1] > 0 { w = 2 } else if len(a) == 1 or a[7] > 0 { w = 3 } else { w = 4 } ; if not (w == 3) { w = 9 } ; output y = x |> Linear(w)",
    );
    expect(model.values.at(-1)?.shape).toEqual([8, 8, 3]);
  });

  test("list patterns", () => {
    const model = make(
      "let [a, b] = [x |> Linear(1), x |> Linear(2)] ; let [c] = x |> Split(1) ; output y = Concat(a, b, c)",
    );
    expect(model.values.at(-1)?.shape).toEqual([8, 8, 9]);
  });

  test("taps are inputs, outputs and lets of the model's body that carry one tensor", () => {
    const model = make(
      "let a = x |> GELU ; let b = a ; b = b |> GELU ; let n = 3 ; for i in range(2) { let c = a |> ReLU } ; output y = b",
    );
    expect(model.taps.map((t) => t.name)).toEqual(["x", "a", "y"]);
  });

  test("option names come first where their type is expected, and never elsewhere", () => {
    const model = make(
      "let [q, k, v] = x |> Linear(18) |> Split(3) ; let score: Score = cosine(tau: 1, eps: 1) ; score = dot ; output y = Attend(q, k, v, heads: 2, score: score)",
    );
    expect(nodeOf(model, "Attend").config.score).toMatchObject({ kind: "dot" });
  });

  test("constants are imported under their own or another name", () => {
    const source =
      'import { imagenet_mean as mean, imagenet_std } from "std/data"\n' +
      "let half = [mean[0] / 2, sum(imagenet_std)]\n" +
      on("output y = x |> Linear(3) |> Normalize(mean, imagenet_std) |> Scale(half[0])");
    expect(nodeOf(modelOf(source), "Normalize").config).toMatchObject({
      mean: [0.485, 0.456, 0.406].map(Math.fround),
    });
  });
});

describe("weight paths", () => {
  const block =
    "block Attention(x: [..., d], heads: int) -> [..., d] {\n let query = Linear(d)\n let [q, k, v] = [x |> query, x |> Linear(d), x |> Linear(d)]\n Attend(q, k, v, heads: heads, score: cosine(tau: learned(1), eps: 1)) |> Linear(d) }";
  const wrapper =
    "block Weighted(x: [..., d], f: Layer) -> [..., d] { x |> Residual(f, alpha: learned(1/4, shape: [d])) }";
  const outer =
    "block Lips(x: [..., d], attention: Layer, norm: Layer = CenterNorm) -> [..., d] {\n x |> Weighted(attention) |> Weighted(norm |> Linear(d)) |> norm }";
  const all = `${block}\n${wrapper}\n${outer}`;

  test("let-name or snake case, a second use, loop rounds", () => {
    const model = make(
      "for i in range(2) { for j in range(1) { x = x |> Lips(Attention(2)) } } ; output y = x",
      all,
    );
    expect(paths(model).filter((p) => p.startsWith("lips.1"))).toEqual([
      "lips.1.0.attention.query.weight",
      "lips.1.0.attention.query.bias",
      "lips.1.0.attention.linear.weight",
      "lips.1.0.attention.linear.bias",
      "lips.1.0.attention.linear_2.weight",
      "lips.1.0.attention.linear_2.bias",
      "lips.1.0.attention.attend.tau",
      "lips.1.0.attention.linear_3.weight",
      "lips.1.0.attention.linear_3.bias",
      "lips.1.0.weighted.residual.alpha",
      "lips.1.0.norm.gamma",
      "lips.1.0.norm.beta",
      "lips.1.0.linear.weight",
      "lips.1.0.linear.bias",
      "lips.1.0.weighted_2.residual.alpha",
      "lips.1.0.norm_2.gamma",
      "lips.1.0.norm_2.beta",
    ]);
    expect(violations(model)).toEqual([]);
  });

  test("the flagship's", () => {
    const model = modelNamed(elaborateAt("specs/lipsformer-swin-tiny.lips"), "LipsFormerSwinTiny");
    expect(paths(model)).toContain("lips_block.2.0.attention.linear.weight");
    expect(paths(model)).toContain("patch_merging.0.norm.gamma");
  });

  test("a line inserted elsewhere changes no other name", () => {
    const lines = ["let a = x |> Linear(6)", "let b = a |> Lips(Attention(2))", "output y = b |> Linear(3)"];
    const before = paths(make(lines.join(" ; "), all));
    const after = paths(
      make(
        [
          lines[0],
          "let z = a |> Conv(6, kernel: 3) |> CenterNorm",
          lines[1].replace("a |>", "z |>"),
          lines[2],
        ].join(" ; "),
        all,
      ),
    );
    expect(after.filter((p) => !p.startsWith("conv.") && !p.startsWith("center_norm."))).toEqual(before);
  });

  test("a sequence held by a name begins the names of its parts", () => {
    expect(
      paths(
        make(
          "let branch = Linear(4, bias: false) |> GELU |> Linear(6, bias: false) ; output y = x |> Residual(branch)",
        ),
      ),
    ).toEqual(["branch.linear.weight", "branch.linear_2.weight"]);
  });
});

describe("weights policy", () => {
  const block =
    "block Inner(x: [..., d], w: int) -> [..., w] {\n weights { init: orthogonal }\n x |> Linear(w) }";
  const kinds = (model: Model): string[] =>
    model.weights.map((w) => `${w.path} ${w.init.kind} ${w.constraint.kind}`);

  test("defaults", () => {
    expect(kinds(make("output y = x |> Linear(3)"))).toEqual([
      "linear.weight xavier none",
      "linear.bias zeros none",
    ]);
  });

  test("argument, then the innermost instance, outwards, then the default", () => {
    const model = make(
      "weights { init: spectral, constraint: spectral(2), bias: false } ; x = x |> Linear(3) |> Inner(4) |> Linear(5, init: zeros, constraint: none, bias: true) ; output y = x",
      block,
    );
    expect(kinds(model)).toEqual([
      "linear.weight spectral spectral",
      "inner.linear.weight orthogonal spectral",
      "linear_2.weight zeros none",
      "linear_2.bias zeros none",
    ]);
    expect(model.weights[0].constraint).toEqual({ kind: "spectral", bound: 2 });
  });

  test("it reaches the standard library", () => {
    const model = modelOf(
      'import { Mlp } from "std/vision"\n' +
        on("weights { init: trunc_normal(0.02), bias: false } ; output y = x |> Mlp(2)"),
    );
    expect(kinds(model)).toEqual([
      "mlp.linear.weight trunc_normal none",
      "mlp.linear_2.weight trunc_normal none",
    ]);
  });

  test("a layer that is given to a block follows the block's policy", () => {
    const outer =
      "block Outer(x: [..., d], f: Layer) -> [..., d] {\n weights { init: orthogonal }\n x |> f |> GELU }";
    expect(
      kinds(make("weights { init: spectral, bias: false } ; output y = x |> Outer(Linear(6))", outer)),
    ).toEqual(["outer.f.weight orthogonal none"]);
  });
});

describe("dimensions", () => {
  test("... is one variable, for maps, sequences and single tokens", () => {
    const block = "block B(a: [..., d], b: [..., e]) -> [..., d + e] { Concat(a, b) }";
    const model = make(
      "let t = x |> Flatten(tokens) ; let p = x |> MeanPool ; let a = B(x, x |> Linear(2)) ; let b = B(t, t) ; output y = B(p, p)",
      block,
    );
    expect(model.taps.slice(3, 5).map((t) => model.values[t.value].shape)).toEqual([
      [8, 8, 8],
      [64, 12],
    ]);
    expect(model.values.at(-1)?.shape).toEqual([12]);
  });

  test("... must stand for the same axes", () => {
    const block = "block B(a: [..., d], b: [..., e]) -> [..., d] { a }";
    expect(elaborate(on("output y = B(x, x |> Flatten(tokens))", block)).names).toEqual(["shape-mismatch"]);
  });

  test("a name that is a static parameter is that parameter", () => {
    const block =
      "block B(x: [h, w, n], n: int) -> [h / n, w / n, n] { x |> Conv(n, kernel: n, stride: n, padding: 0) }";
    expect(elaborate(on("output y = x |> B(n: 6)", block)).messages[0]).toContain(
      "8 / 6 is not whole, but `B` needs `h / n`",
    );
    expect(elaborate(on("output y = x |> B(n: 2)", block)).messages[0]).toContain("n = 2");
    expect(make("output y = x |> Linear(2) |> B(n: 2)", block).values.at(-1)?.shape).toEqual([4, 4, 2]);
  });

  test("expressions in parameters are checked once their names are bound", () => {
    const block = "block B(a: [h, w, d], b: [h / 2, w / 2, 2 * d]) -> [h, w, d] { a }";
    expect(elaborate(on("output y = B(x, x |> Conv(12, kernel: 3, stride: 2))", block)).names).toEqual([]);
    expect(elaborate(on("output y = B(x, x |> Conv(11, kernel: 3, stride: 2))", block)).names).toEqual([
      "shape-mismatch",
    ]);
  });

  test("all arithmetic is exact", () => {
    const model = make(
      "let n = 0.1 + 0.2 ; output y = x |> Linear(n * 10) |> Linear((1/3 + 1/6) * 10 ^ 1) |> Linear(7 % 4) |> Linear(2 ^ 3 ^ 0 * 1)",
    );
    expect(model.values.map((v) => v.shape.at(-1))).toEqual([6, 3, 5, 3, 2]);
  });
});

describe("numbers that enter the graph are the stored ones", () => {
  test("ranges are rounded inwards, starts into them", () => {
    const model = make("output y = x |> Residual(GELU, alpha: learned(1/5, shape: [6], in: [1/10, 1/5]))");
    const [{ range, init }] = model.weights;
    const [low, high] = range ?? [NaN, NaN];
    expect(Math.fround(low)).toBe(low);
    expect(Math.fround(high)).toBe(high);
    expect(compare(fromNumber(low), rational(1n, 10n)!)).toBe(1);
    expect(compare(fromNumber(high), rational(1n, 5n)!)).toBe(-1);
    // float32(1/5) lies above 1/5.
    expect(Math.fround(0.2)).toBeGreaterThan(high);
    expect(init).toEqual({ kind: "constant", values: [high] });
  });

  test("domains are rounded outwards, claims down", () => {
    const model = modelOf(
      "model M {\n input x: [3] in [1/3, 2/3]\n output y = x |> GELU\n certify always: gain(x -> y) <= 1/10\n certify always: gain(x -> y) <= 1e400\n}",
    );
    const { domain } = model.inputs[0];
    if (domain.kind !== "box") throw new Error("no box");
    expect(compare(fromNumber(domain.low), rational(1n, 3n)!)).not.toBe(1);
    expect(compare(fromNumber(domain.high), rational(2n, 3n)!)).not.toBe(-1);
    expect(compare(fromNumber(model.claims[0].limit), rational(1n, 10n)!)).not.toBe(1);
    expect(model.claims[1].limit).toBe(Number.MAX_VALUE);
  });
});

describe("operators on tensors are layers", () => {
  test.each([
    ["x + (x |> GELU)", ["GELU", "Add"]],
    ["x - (x |> GELU)", ["GELU", "Subtract"]],
    ["x * (x |> GELU)", ["GELU", "Multiply"]],
    ["3 * x", ["Scale"]],
    ["x / 2", ["Scale"]],
    ["-x", ["Scale"]],
    ["x + 1", ["Offset"]],
    ["1 - x", ["Scale", "Offset"]],
    ["x * learned(1, shape: [6])", ["Scale"]],
    ["x + learned(1, shape: [6])", ["Offset"]],
    ["x + learned(1, shape: [8, 8, 6])", ["Learned", "Add"]],
  ])("%s", (expression, expected) => {
    const model = make(`output y = ${expression}`);
    expect(layersOf(model)).toEqual(expected);
    expect(violations(model)).toEqual([]);
  });
});

describe("claims", () => {
  const block =
    "block B(u: [..., d]) -> [..., d] {\n let v = u |> GELU\n v |> ReLU\n certify always: gain(u -> result) <= 2\n certify at init: radius(v, linf) <= 1\n}";

  test("of a block: one for each instance, with its path", () => {
    const model = make("for i in range(2) { x = x |> B } ; output y = x", block);
    expect(model.claims.map((c) => [c.instance, c.kind, c.fromName, c.toName, c.phase, c.limit])).toEqual([
      ["b.0", "gain", "u", "result", "always", 2],
      ["b.0", "radius", "v", "v", "init", 1],
      ["b.1", "gain", "u", "result", "always", 2],
      ["b.1", "radius", "v", "v", "init", 1],
    ]);
    expect(model.claims[0].to).toBe(model.claims[2].from);
  });

  test("inside of a recurrence", () => {
    const model = modelNamed(elaborateAt("test/fixtures/examples/dynamics.lips"), "Contracting");
    const scan = nodeOf(model, "Scan");
    const claim = model.claims.find((c) => c.instance === "step");
    expect(claim?.from).toBe(scan.body?.parameters[0]);
    expect(claim?.to).toBe(scan.body?.result);
  });

  test("norms", () => {
    const model = make(
      "output y = x |> GELU ; certify always: gain(x -> y, linf -> l2) <= 2 ; certify always: gain(x -> y, rms) <= 2 ; certify at checkpoint: margin(x -> y, token) <= 1",
    );
    expect(model.claims.map((c) => [c.kind, c.normIn, c.normOut, c.phase])).toEqual([
      ["gain", "linf", "l2", "always"],
      ["gain", "rms", "rms", "always"],
      ["margin", "token", "token", "checkpoint"],
    ]);
    expect(model.claims[0].text).toBe("gain(x -> y, linf -> l2) <= 2");
  });

  test("variants inherit those of their base and add their own", () => {
    const source = `${on("let f = x |> Linear(w) ; output y = f |> GELU ; certify at init: gain(x -> y) <= w", "", "(w: int = 3)")}model V(k: int = 2) = M(w: 2 * k) {\n  certify always: gain(f -> y) <= k\n}\n`;
    const result = elaborate(source);
    expect(result.messages).toEqual([]);
    expect(modelNamed(result, "M").claims.map((c) => c.limit)).toEqual([3]);
    expect(modelNamed(result, "V").claims.map((c) => [c.fromName, c.limit])).toEqual([
      ["x", 4],
      ["f", 2],
    ]);
  });
});

describe("solve", () => {
  test("elaborates as the lower end and says so in the model", () => {
    const model = make("let s = solve(in: [1/4, 1]) ; output y = x |> Scale(s) |> Scale(s)");
    expect(model.solve).toMatchObject({ name: "s", low: "0.25", high: "1", value: null });
    expect(nodeOf(model, "Scale").config.by).toEqual({ kind: "constant", value: 0.25 });
  });
});

describe("runs and overrides", () => {
  const source = `${on("output y = x |> MeanPool |> Linear(classes)", "", "(classes: int = 4)")}train M(classes: 7) {
  data: images("photos", size: 8)
  loss: cross_entropy(smoothing: 0.1) + 1e-5 * spectral_penalty("**.query", heads: 3) + 2 * (mse + mse)
  optimizer: adamw(lr: 1e-3, betas: [0.9, 0.98])
  groups: [group(vectors, weight_decay: 5e-4), group("**.position", lr: 1e-4)]
  augment: [crop(28, padding: 2), flip]
  report: [accuracy, certified(l2, at: [36/255])]
  steps: 100
}
`;

  test("a run's entries, its arguments, and what is missing", () => {
    const { train, values } = modelOf(source);
    expect(values.at(-1)?.shape).toEqual([7]);
    expect(train).toMatchObject({
      data: { name: "images", args: { folder: "photos", size: 8 } },
      loss: [
        { weight: 1, term: { name: "cross_entropy", args: { smoothing: 0.1 } } },
        { weight: 1e-5, term: { name: "spectral_penalty", args: { weights: "**.query", heads: 3 } } },
        { weight: 2, term: { name: "mse" } },
        { weight: 2, term: { name: "mse" } },
      ],
      optimizer: { name: "adamw", args: { lr: 1e-3, betas: [0.9, 0.98], eps: 1e-8, weight_decay: 0.01 } },
      groups: [
        { name: "group", args: { weights: "vectors", weight_decay: 5e-4 } },
        { name: "group", args: { weights: "**.position", lr: 1e-4 } },
      ],
      augment: [
        { name: "crop", args: { size: 28, padding: 2 } },
        { name: "flip", args: {} },
      ],
      report: [
        { name: "accuracy", args: {} },
        { name: "certified", args: { norm: "l2", at: [36 / 255] } },
      ],
      schedule: { name: "cosine", args: { warmup: 0, min_lr: 0 } },
      epochs: null,
      steps: 100,
      batch: 128,
      clip: null,
      precision: "float32",
      seed: 0,
    });
  });

  test("--set reaches parameters and entries", () => {
    const model = modelOf(
      source,
      {},
      { set: { classes: "2 + 3", "train.epochs": "5", "train.optimizer": "sgd(lr: 0.1)" } },
    );
    expect(model.values.at(-1)?.shape).toEqual([5]);
    expect(model.train).toMatchObject({
      epochs: 5,
      steps: null,
      optimizer: { name: "sgd", args: { lr: 0.1, momentum: 0 } },
    });
  });

  test("--set reaches the base of a variant", () => {
    const result = elaborate(
      `${on("output y = x |> Linear(w)", "", "(w: int)")}model V = M(w: 3)\n`,
      {},
      { set: { w: "9" } },
    );
    expect(result.models.map((m) => [m.name, m.values.at(-1)?.shape.at(-1)])).toEqual([
      ["M", 9],
      ["V", 9],
    ]);
  });

  test("--set that fits nothing, or is no expression", () => {
    expect(elaborate(source, {}, { set: { clases: "3" } }).names).toEqual(["unknown-override"]);
    expect(elaborate(source, {}, { set: { "train.epoch": "3" } }).names).toEqual(["unknown-override"]);
    expect(elaborate(source, {}, { set: { classes: "(((" } }).diagnostics.hasErrors).toBe(true);
    expect(elaborate(source, {}, { set: { classes: "a" } }).names).toEqual(["unknown-name"]);
  });

  test("--set is shown as it was written, each on a line of its own, and is no file", () => {
    const diagnostics = new Diagnostics();
    const set = { "train.epochs": "2", classes: "1 + a" };
    const { sources } = elaborateFile(hostOf({ "main.lips": source }), "main.lips", diagnostics, { set });
    const { span } = diagnostics.all[0];
    const written = sources.get(span?.file ?? "");
    expect(written?.text).toBe("--set train.epochs=2\n--set classes=1 + a\n");
    expect(written?.text.slice(span?.start, span?.end)).toBe("a");
    expect(filesOf(sources).map(({ name }) => name)).toEqual(["main.lips"]);
  });

  test("models with open parameters wait for a variant", () => {
    const result = elaborate(`${on("output y = x |> Linear(w)", "", "(w: int)")}model V = M(w: 3)\n`);
    expect(result.messages).toEqual([]);
    expect(result.models.map((m) => m.name)).toEqual(["V"]);
    expect(parametersOf(result.models[0])).toBe(21);
  });
});

describe("recipes of variants", () => {
  const base = `${on("output y = x |> Linear(3)")}train M { epochs: 7, batch: 8, optimizer: sgd(lr: 0.1) }\n`;
  const run = (text: string, set: Record<string, string> = {}): Model => {
    const files = { "base.lips": base };
    const result = elaborate(`import { M } from "./base.lips"\n${text}`, files, { set });
    expect(result.messages).toEqual([]);
    return modelNamed(result, "V");
  };

  test("a variant has its base's, also from another file and over several steps", () => {
    const wanted = { epochs: 7, batch: 8, optimizer: { name: "sgd" } };
    expect(run("model V = M()").train).toMatchObject(wanted);
    expect(run("model U = M()\nmodel V = U()").train).toMatchObject(wanted);
    expect(run("model V = M()").train?.span.file).toBe("base.lips");
  });

  test("entries of its own replace the base's, one by one", () => {
    const { train } = run("model V = M()\ntrain V { batch: 16 }");
    expect(train).toMatchObject({ epochs: 7, batch: 16, optimizer: { name: "sgd" } });
    expect(train?.span.file).toBe("main.lips");
  });

  test("the length of the run is one entry, as epochs or as steps", () => {
    expect(run("model V = M()\ntrain V { steps: 5 }").train).toMatchObject({ epochs: null, steps: 5 });
    expect(run("model V = M()", { "train.steps": "5" }).train).toMatchObject({ epochs: null, steps: 5 });
  });

  test("--set comes last", () => {
    expect(run("model V = M()\ntrain V { batch: 16 }", { "train.batch": "2" }).train?.batch).toBe(2);
  });

  test("the base is as it was", () => {
    const result = elaborate(`${base}model V = M()\ntrain V { batch: 16 }\n`);
    expect(result.models.map((m) => [m.name, m.train?.batch])).toEqual([
      ["M", 8],
      ["V", 16],
    ]);
  });

  test("a mistake in the base's recipe is told where it stands", () => {
    const files = { "base.lips": base.replace("epochs", "epoch") };
    const result = elaborate('import { M } from "./base.lips"\nmodel V = M()\n', files);
    expect(result.names).toEqual(["train-entry"]);
    expect(result.diagnostics.all[0].span?.file).toBe("base.lips");
  });
});

test("nodes know where they are written and the calls that led there", () => {
  const source = on(
    "output y = x |> A",
    "block B(x: [..., d]) -> [..., d] { x |> GELU }\nblock A(x: [..., d]) -> [..., d] { x |> B |> B }",
  );
  const [first, second] = modelOf(source).nodes;
  const text = (span: { start: number; end: number }): string => source.slice(span.start, span.end);
  expect([first, second].map((n) => [text(n.span), ...n.calls.map(text)])).toEqual([
    ["GELU", "B", "A"],
    ["GELU", "B", "A"],
  ]);
  expect(first.calls[0].start).toBeLessThan(second.calls[0].start);
});

test("the input's axes keep their names", () => {
  const model = modelOf(
    "model M(context: int = 5, vocab: int = 7) {\n input text: [context] in tokens(vocab)\n output y = text |> Embedding(3)\n}",
  );
  expect(model.values[0]).toMatchObject({ shape: [5], axes: ["context"] });
  expect(model.weights[0].shape).toEqual([7, 3]);
});

test("a domain may be a parameter: an interval or an option", () => {
  const source = (variant: string): string =>
    `model A(domain: Domain = [0, 1]) {\n input x: [3] in domain\n output y = x |> GELU\n}\n${variant}\n`;
  expect(modelOf(source("")).inputs[0].domain).toEqual({ kind: "box", low: 0, high: 1 });
  expect(modelNamed(elaborate(source("model B = A(domain: unbounded)")), "B").inputs[0].domain).toEqual({
    kind: "unbounded",
  });
  const ball = modelNamed(elaborate(source("model B = A(domain: ball(l2, 2))")), "B").inputs[0].domain;
  expect(ball).toEqual({ kind: "ball", norm: "l2", radius: 2 });
  for (const wrong of ["[0, 1, 2]", "[GELU, 1]", "3", "[1, 0]"]) {
    expect(elaborate(source(`model B = A(domain: ${wrong})`)).diagnostics.hasErrors).toBe(true);
  }
});
