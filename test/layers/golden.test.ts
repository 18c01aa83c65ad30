/** The authors' released LipsFormer in the float64 interpreter; test/parity/golden.test.ts has the engines. */
import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import type { Model } from "../../src/model/model.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { goldenSpec, readGolden } from "../helpers/golden.ts";
import { gradientGraph } from "../parity/problem.ts";

const golden = readGolden();
const model: Model = modelOf(goldenSpec, "LipsFormerSwinReleasedMini");
const graph: Graph = gradientGraph(model, {
  ...defaultRecipe,
  batch: golden.labels.length,
  span: model.span,
});

/** Largest difference relative to the largest entry, at least `floor`. */
function relative(got: ArrayLike<number>, want: ArrayLike<number | bigint>, floor = 0): number {
  let most = 0;
  let size = floor;
  for (let i = 0; i < want.length; i++) {
    most = Math.max(most, Math.abs(got[i] - Number(want[i])));
    size = Math.max(size, Math.abs(Number(want[i])));
  }
  return size === 0 ? most : most / size;
}

interface Compared {
  readonly logits: number;
  readonly loss: number;
  /** Worst over the weights, each relative to its largest entry. */
  readonly gradient: number;
  readonly worst: string;
}

function compare(outputs: Readonly<Record<string, { readonly data: ArrayLike<number> }>>): Compared {
  let gradient = 0;
  let worst = "";
  for (const [path, want] of golden.gradients) {
    const error = relative(outputs[`grad/${path}`].data, want.data);
    if (error > gradient) [gradient, worst] = [error, path];
  }
  const logits = relative(outputs.logits.data, golden.logits.data);
  return { logits, loss: Math.abs(outputs.loss.data[0] - golden.loss) / golden.loss, gradient, worst };
}

describe("the authors' released LipsFormer", () => {
  it("has the same weights under our names", () => {
    const ours = model.weights.map((w) => w.path);
    expect([...golden.weights.keys()].sort()).toEqual([...ours].sort());
    expect([...golden.gradients.keys()].sort()).toEqual([...ours].sort());
    expect(model.weights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0)).toBe(44468);
  });

  it("gives the same logits and gradients in the float64 interpreter", () => {
    const found = compare(interpret(graph, feeds64()));
    console.info("float64 interpreter against the authors' float32:", found);
    expect(found.logits).toBeLessThan(1e-5);
    expect(found.loss).toBeLessThan(1e-5);
    expect(found.gradient, found.worst).toBeLessThan(1e-5);
  }, 120_000);

  // What the last block's attention and perceptron, the last norm and the head feed on is not behind a convolution.
  const sound = /^(linear\.|center_norm_2\.|lips_block\.1\.1\.(attention|mlp|center_norm|weighted_[234]\.))/;

  it("gives the released file's own gradients, where those are gradients of its loss", () => {
    const outputs = interpret(graph, feeds64());
    let agreed = 0;
    for (const [path, want] of golden.released) {
      if (!sound.test(path)) continue;
      expect(relative(outputs[`grad/${path}`].data, want.data), path).toBeLessThan(1e-5);
      agreed++;
    }
    expect(agreed).toBe(20);
  }, 120_000);

  it("central differences of the loss side with us, not with the released gradients behind convolutions", () => {
    const feeds = feeds64();
    const { outputs } = graph;
    const lossOnly: Graph = { ...graph, outputs: outputs.filter((o) => o.name === "loss") };
    const analytic = interpret(graph, feeds);
    const behind = [
      "lips_block.1.1.depthwise_conv_2.bias",
      "lips_block.1.1.linear.bias",
      "patch_embed.conv.bias",
    ];
    for (const path of behind) {
      const { data } = feeds[`param/${path}`];
      const [before, h] = [data[1], 1e-5];
      const at = (x: number): number => {
        data[1] = x;
        return interpret(lossOnly, feeds).loss.data[0];
      };
      const slope = (at(before + h) - at(before - h)) / (2 * h);
      data[1] = before;
      expect(Math.abs(analytic[`grad/${path}`].data[1] - slope), path).toBeLessThan(1e-7);
      expect(Math.abs(Number(golden.released.get(path)?.data[1]) - slope), path).toBeGreaterThan(1e-2);
    }
  }, 120_000);
});

function feeds64(): Record<string, Array64> {
  const feeds: Record<string, Array64> = {
    "data/image": array64(golden.input.shape, golden.input.data),
    labels: array64([golden.labels.length], golden.labels),
  };
  for (const weight of model.weights)
    feeds[`param/${weight.path}`] = array64(weight.shape, stored(weight.path));
  return feeds;
}

function stored(path: string): number[] {
  const tensor = golden.weights.get(path);
  if (!tensor) throw new Error(`no weight ${path}`);
  return Array.from(tensor.data, Number);
}
