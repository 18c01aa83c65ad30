/**
 * `Residual`: x + α·f(x), or (1 − α)·x + α·f(x) in its convex form. α is one number or one per channel.
 * One node and not a sum of terms, because the convex form is tighter as a whole (docs/gains.md, "Residual").
 */
import { channelsOf } from "../gain/gain.ts";
import { identityMatrix, sumOf } from "../gain/matrix.ts";
import { stored } from "../gain/up.ts";
import { toNumber } from "../elaborate/rational.ts";
import type { Coefficient } from "../model/model.ts";
import { showShape } from "./check.ts";
import { defineLayer, type LowerContext } from "./layer.ts";
import { residualGain, residualRange } from "./residual/gain.ts";
import type { Tensor } from "../graph/builder.ts";

export type ResidualConfig = {
  readonly alpha: Coefficient;
  readonly form: "additive" | "convex";
  /** Probability that a sample's branch is left out in training (drop path). */
  readonly drop: number;
};

export const residual = defineLayer<ResidualConfig>({
  name: "Residual",
  summary: "Adds a branch to the value it started from: x + α·f(x), or (1 − α)·x + α·f(x).",
  signature: {
    tensors: ["x"],
    params: [
      { name: "f", type: "Layer", doc: "the branch; must keep the shape" },
      {
        name: "alpha",
        type: "Coefficient",
        default: "1",
        doc: "weight of the branch: a number, or one per channel",
      },
      {
        name: "form",
        type: "Word",
        words: ["additive", "convex"],
        default: "additive",
        doc: "x + α·f(x), or (1 − α)·x + α·f(x)",
      },
      {
        name: "drop",
        type: "real",
        default: "0",
        doc: "probability of leaving the branch of a sample out in training",
      },
    ],
    shape: "S -> S",
  },
  infer(call) {
    const x = call.inputs[0];
    const branch = call.apply("f", [x]);
    const form = call.word("form") === "convex" ? "convex" : "additive";
    const shapes = x.shape.length === 0 ? [[]] : [[], [x.shape[x.shape.length - 1]]];
    const alpha = call.coefficient("alpha", shapes, "toward-zero");
    const drop = stored(toNumber(call.real("drop")));
    if (!(drop >= 0 && drop < 1)) {
      call.fail(
        "out-of-range",
        { argument: "drop", found: String(drop), allowed: "at least 0 and less than 1" },
        "drop",
      );
    }
    if (form === "convex" && alpha.kind === "constant" && !(alpha.value >= 0 && alpha.value <= 1)) {
      const allowed = "between 0 and 1 in the convex form";
      call.fail("out-of-range", { argument: "alpha", found: String(alpha.value), allowed }, "alpha");
    }
    if (!branch || call.failed) return undefined;
    const result = branch[0];
    const fits =
      branch.length === 1 &&
      result.shape.length === x.shape.length &&
      result.shape.every((n, i) => n === x.shape[i]);
    if (!fits) {
      const found = branch.map((b) => showShape(b.shape)).join(" and ");
      const width = x.shape[x.shape.length - 1];
      const onlyWidth =
        branch.length === 1 && showShape([...result.shape.slice(0, -1), width]) === showShape(x.shape);
      const help = onlyWidth
        ? `end the branch with \`Linear(${width})\``
        : "the branch must give back the shape that it takes";
      call.fail("residual-shape", { skip: showShape(x.shape), branch: found }, "f", help);
      return undefined;
    }
    const weights: Record<string, number> = alpha.kind === "learned" ? { alpha: alpha.weight } : {};
    return { config: { alpha, form, drop }, outputs: [x.shape], inputs: [x.value, result.value], weights };
  },
  macs: () => 0,
  rules: { gain: residualGain, range: residualRange },
  tokenwise({ config: { alpha, form }, shapes: [shape], coefficient }) {
    const [whole, branch] = [identityMatrix(channelsOf(shape)), coefficient(alpha)];
    const skip =
      form === "convex"
        ? sumOf([
            { factor: 1, of: whole },
            { factor: -1, of: branch },
          ])
        : whole;
    return [
      [
        { input: 0, matrix: skip },
        { input: 1, matrix: branch },
      ],
    ];
  },
  lower: lowerResidual,
});

/**
 * Drop path keeps a sample's branch with probability 1 − p and divides it by that, so that its mean is what
 * inference computes (Huang et al., 2016, arXiv 1603.09382). At inference it is the identity.
 */
function lowerResidual(context: LowerContext<ResidualConfig>): readonly Tensor[] {
  const { builder: b, config } = context;
  const [x, f] = context.inputs;
  const { alpha, form, drop } = config;
  let step = form === "convex" ? b.sub(f, x) : f;
  if (!(alpha.kind === "constant" && alpha.value === 1)) step = b.mul(step, context.coefficient(alpha));
  if (context.training && drop > 0) {
    const uniform = context.random([context.batch, ...x.shape.slice(1).map(() => 1)]);
    const kept = b.select(b.greater(drop, uniform), 0, 1 / (1 - drop));
    step = b.mul(step, kept);
  }
  return [b.add(x, step)];
}
