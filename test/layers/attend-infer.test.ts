import { describe, expect, it } from "vitest";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import type { AttendConfig } from "../../src/layers/attend/config.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Model } from "../../src/model/model.ts";
import { testHost } from "../helpers/elaborated.ts";

/** A model with one line of body after its input, and what the compiler says of it. */
function elaborated(shape: string, line: string, input = ""): { model: Model | undefined; said: string[] } {
  const text = `lips 1\n\nmodel M {\n  input x: [${shape}]${input}\n  weights { init: spectral }\n  output y = ${line}\n}\n`;
  const diagnostics = new Diagnostics();
  const { models } = elaborateFile(testHost({ "m.lips": text }), "m.lips", diagnostics);
  const said = diagnostics.all.map((d) => `${d.code} ${d.name} ${d.message} ${d.help ?? ""}`);
  return { model: models[0], said };
}

const attend = (args: string): string => `Attend(x, x, x, ${args})`;

describe("Attend's shape rule", () => {
  it("stores the options as plain data, numbers as stored", () => {
    const { model, said } = elaborated(
      "14, 14, 8",
      attend(
        "heads: 2, score: cosine(tau: 10, eps: 1e-12, guard: max), over: windows(7, shift: 3), position: relative",
      ),
    );
    expect(said).toEqual([]);
    const node = model?.nodes[0];
    expect(node?.config).toEqual({
      heads: 2,
      score: { kind: "cosine", tau: { kind: "constant", value: 10 }, eps: Math.fround(1e-12), guard: "max" },
      values: { kind: "raw" },
      over: { kind: "windows", size: 7, shift: 3 },
      position: "relative",
      causal: false,
      local: null,
    } satisfies AttendConfig);
    expect(model?.weights).toMatchObject([
      { shape: [169, 2], role: "table", init: { kind: "trunc_normal" }, constraint: { kind: "none" } },
    ]);
    expect(model?.weights[0].path).toMatch(/\.position$/);
  });

  it("has the usual scale 1/sqrt(d_h), and makes learned numbers its own weights", () => {
    const dot = elaborated("9, 8", attend("heads: 2, score: dot"));
    expect(dot.model?.nodes[0].config.score as AttendConfig["score"]).toEqual({
      kind: "dot",
      scale: { kind: "constant", value: 0.5 },
    });
    const learned = elaborated(
      "9, 8",
      attend(
        "heads: 2, score: cosine(tau: learned(10, shape: [2], in: [1, 20]), eps: 1), values: unit(nu: learned(1), eps: 1)",
      ),
    );
    expect(learned.said).toEqual([]);
    expect(Object.keys(learned.model?.nodes[0].weights ?? {})).toEqual(["tau", "nu"]);
    expect(learned.model?.weights.map((w) => [w.shape, w.range])).toEqual([
      [[2], [1, 20]],
      [[], null],
    ]);
  });

  it("reads the kernel of a DepthwiseConv and owns its weights", () => {
    const { model, said } = elaborated(
      "14, 14, 8",
      attend("heads: 2, score: dot, over: stripes(7, vertical), local: DepthwiseConv(3)"),
    );
    expect(said).toEqual([]);
    expect(model?.nodes[0].config.local).toEqual({ kernel: 3, bias: true });
    expect(model?.weights.map((w) => [w.path.replace(/^.*\.local/, "local"), w.shape, w.role])).toEqual([
      ["local.weight", [8, 1, 3, 3], "depthwise"],
      ["local.bias", [8], "bias"],
    ]);
    const without = elaborated(
      "14, 14, 8",
      attend("heads: 2, score: dot, local: DepthwiseConv(5, bias: false)"),
    );
    expect(without.model?.nodes[0].config.local).toEqual({ kernel: 5, bias: false });
  });

  it("counts multiply-adds: q·k and P·v for every key of the region", () => {
    const { model } = elaborated(
      "14, 14, 8",
      attend("heads: 2, score: dot, over: windows(7), local: DepthwiseConv(3)"),
    );
    const node = model?.nodes[0];
    const shape = [14, 14, 8];
    const macs = layers
      .get("Attend")
      ?.macs({ config: node?.config ?? {}, shapes: [shape, shape, shape], outputs: [shape], step: 0 });
    expect(macs).toBe(196 * 49 * 16 + 196 * 8 * 9);
  });

  it.each([
    [
      "9, 8",
      "heads: 3, score: dot",
      "LIPS0215 heads-divide 3 heads do not divide the 8 channels of the queries. possible: 1, 2, 4, 8",
    ],
    [
      "8, 8, 4",
      "heads: 1, score: dot, over: windows(7)",
      "LIPS0204 does-not-tile Windows of 7 do not tile an 8 × 8 map: 8 = 7 + 1. possible: 1, 2, 4, 8",
    ],
    [
      "4, 6, 4",
      "heads: 1, score: dot, over: stripes(4, vertical)",
      "LIPS0204 does-not-tile Stripes of 4 do not tile a 4 × 6 map: 6 = 4 + 2. possible: 1, 2, 3, 6",
    ],
    [
      "4, 6, 4",
      "heads: 1, score: dot, over: grid(4)",
      "LIPS0204 does-not-tile Grid patches of 4 do not tile a 4 × 6 map: 6 = 4 + 2. possible: 1, 2",
    ],
    [
      "4, 6, 4",
      "heads: 1, score: dot, over: windows(2, shift: 2)",
      "LIPS0310 out-of-range `shift` is 2, but must be less than the window's size, 2. ",
    ],
    ["9, 8", "heads: 1, score: dot, over: windows(3)", "LIPS0202 wrong-rank"],
    ["9, 6", "heads: 2, score: dot, position: rotary", "LIPS0310 out-of-range"],
    ["4, 4, 6", "heads: 1, score: dot, position: rotary", "LIPS0202 wrong-rank"],
    [
      "9, 8",
      "heads: 1, score: cosine(tau: 1, eps: 0)",
      "LIPS0310 out-of-range `eps` is 0, but must be positive and storable as float32. ",
    ],
    ["9, 8", "heads: 1, score: cosine(tau: 1, eps: 1e-60)", "LIPS0310 out-of-range"],
    ["9, 8", "heads: 1, score: distance(scale: -1)", "LIPS0310 out-of-range"],
    ["4, 4, 8", "heads: 1, score: dot, local: Linear(8)", "LIPS0330 attend-local"],
    ["4, 4, 8", "heads: 1, score: dot, local: DepthwiseConv(3) |> GELU", "LIPS0330 attend-local"],
    ["4, 4, 8", "heads: 1, score: dot, local: DepthwiseConv(3, stride: 2)", "LIPS0330 attend-local"],
    ["4, 4, 8", "heads: 1, score: dot, local: DepthwiseConv(3, init: zeros)", "LIPS0330 attend-local"],
    ["9, 8", "heads: 1, score: dot, local: DepthwiseConv(3)", "LIPS0330 attend-local"],
    [
      "4, 4, 8",
      "heads: 1, score: dot, over: windows(2, shift: 1), local: DepthwiseConv(3)",
      "LIPS0330 attend-local",
    ],
  ])("[%s] %s", (shape, args, expected) => {
    const { model, said } = elaborated(shape, attend(args));
    expect(model).toBeUndefined();
    expect(said.filter((s) => s.startsWith("LIPS")).length).toBe(1);
    expect(said[0]).toContain(expected);
  });

  it("queries, keys and values must fit", () => {
    expect(elaborated("9, 8", "Attend(x, x |> Linear(6), x, heads: 1, score: dot)").said[0]).toContain(
      "LIPS0216 attend-shapes",
    );
    const cross = elaborated("9, 8", "Attend(x |> Token(0), x, x, heads: 1, score: dot, causal: true)");
    expect(cross.said[0]).toContain("queries and keys must be the same tokens");
  });

  it("lets one query look at a sequence", () => {
    const { model, said } = elaborated(
      "9, 8",
      "Attend(x |> Conv(8, kernel: 3, stride: 3, padding: 0), x, x, heads: 1, score: dot)",
    );
    expect(said).toEqual([]);
    expect(model?.values[model.outputs[0].value].shape).toEqual([3, 8]);
  });
});

describe("Residual's shape rule", () => {
  it("reads x and f(x), with alpha rounded towards zero", () => {
    const { model, said } = elaborated(
      "4, 8",
      "x |> Residual(Linear(8), alpha: 1/12, form: convex, drop: 0.1)",
    );
    expect(said).toEqual([]);
    const node = model?.nodes.find((n) => n.layer === "Residual");
    expect(node?.inputs).toEqual([0, 1]);
    const alpha = (node?.config.alpha as { value: number }).value;
    expect(alpha).toBeLessThanOrEqual(1 / 12);
    expect(alpha).toBe(Math.fround(alpha));
  });

  it("knows the shape of a learned alpha", () => {
    const { model } = elaborated(
      "4, 8",
      "x |> Residual(Linear(8), alpha: learned(0.1, shape: [8], in: [0, 1]))",
    );
    expect(model?.nodes.find((n) => n.layer === "Residual")?.config.alpha).toMatchObject({
      kind: "learned",
      shape: [8],
    });
  });

  it.each([
    [
      "x |> Residual(Linear(16))",
      "LIPS0201 residual-shape The branch changes the shape, so it can't be added back: the skip is [4, 8], the branch [4, 16]. end the branch with `Linear(8)`",
    ],
    ["x |> Residual(MeanPool)", "LIPS0201 residual-shape"],
    ["x |> Residual(Linear(8), form: convex, alpha: 2)", "LIPS0310 out-of-range"],
    ["x |> Residual(Linear(8), drop: 1)", "LIPS0310 out-of-range"],
  ])("%s", (line, expected) => {
    const { model, said } = elaborated("4, 8", line);
    expect(model).toBeUndefined();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(expected);
  });
});
