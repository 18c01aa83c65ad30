/** EMMA: a margin loss whose margin follows each sample and pair of classes. */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import { Analysis } from "../../gain/analyze.ts";
import { entry, type Reason } from "../../gain/gain.ts";
import type { Model, TrainConfig, WeightId } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import { effectiveWeight } from "../constraints/registry.ts";
import { crossEntropyOf } from "./cross-entropy.ts";
import { labelled, numberArg, oneHot, type LossTerm } from "./loss.ts";

/** Below this a squared distance of two rows counts as none; its root is still a normal float32. */
const tiny = 1e-12;

/** The least part of `eps` that is asked of a sample, as in the authors' code: so that a wrong one still pulls rows together. */
const leastShare = 0.01;

/**
 * Cross entropy of z_j + ε_j·L_j, j ≠ y (Hu et al. 2023, arXiv 2301.12549, "efficient margin maximisation"), where
 *   L_j = ‖w_y − w_j‖₂·G   bounds how fast the margin m_j = z_y − z_j changes: w the rows of the linear head, G the gain
 *                          from the input to the features, l2 to l2, that is proven for every weight (phase `always`)
 *   ε_j = clip(m_j/L_j, 0.01·ε, ε)   the radius at which class j is reached, at most `eps`; a constant for the gradient
 *
 * What it bounds: m_j ≥ ε·L_j for all j means a certified radius of at least ε. Until then ε_j·L_j = m_j: all classes
 * that can be reached within ε stand level with y, so that none of them is left out of the gradient, while a fixed
 * margin lets the nearest class alone decide. The loss trains; the certificate is computed from proven norms elsewhere.
 */
export const emma: LossTerm = {
  name: "emma",
  build({ builder, model, recipe, args, logits, labels, params }) {
    const eps = numberArg(args, "eps", 0);
    if (labels.mixed) {
      const reason =
        "its margin is the certified radius of one label, and mixup and cutmix give a sample two";
      return misfit(recipe, reason, "use margin(…), or don't mix");
    }
    const head = headOf(model, recipe);
    if (!head.ok) return head;
    const weight = model.weights[head.value.weight];
    const effective = effectiveWeight(builder, weight, params[head.value.weight]);
    builder.origin = "loss";

    const classes = logits.shape[1];
    const hot = oneHot(builder, labels.own, classes);
    const distances = rowDistances(builder, effective);
    const speed = builder.mul(builder.matmul(builder.cast(hot, "f32"), distances), head.value.gain);
    const margins = builder.sub(labelled(builder, logits, hot), logits);
    // At j = y the speed is 0 and so is what is added.
    const reached = builder.div(margins, builder.maximum(speed, 1e-8));
    const radius = builder.minimum(builder.maximum(reached, leastShare * eps), eps);
    const moved = builder.add(logits, builder.mul(radius, speed));
    const loss = crossEntropyOf(builder, moved, labels, 0);
    return good({ loss: loss.loss, stop: [...loss.stop, radius] });
  },
};

/** The linear head, and what is proven of the features before it. */
export interface Head {
  /** (classes, features) */
  readonly weight: WeightId;
  /** ≥ ‖features(x) − features(x')‖₂/‖x − x'‖₂ for all weights that training can reach. */
  readonly gain: number;
}

/** Refused where the logits aren't a Linear of one token of features, or nothing is proven of those. */
export function headOf(model: Model, recipe: TrainConfig): Result<Head> {
  const logits = model.outputs[0].value;
  const node = model.nodes.find(({ outputs }) => outputs.includes(logits));
  if (node?.layer !== "Linear" || model.values[node.inputs[0]].shape.length !== 1)
    return misfit(recipe, "the logits must come from a `Linear` on one vector of features");
  if (model.inputs.length !== 1) return misfit(recipe, "it is about models with one input");
  const gain = new Analysis(model, "always").gainFrom(model.inputs[0].value, node.inputs[0]);
  const proven = entry(gain, "l2", "l2");
  if (!(proven > 0 && proven < Infinity)) {
    const why = gain.why ? `: ${rootOf(gain.why).text}` : "";
    return misfit(
      recipe,
      proven === 0
        ? "the features don't depend on the input"
        : `no gain from \`${model.inputs[0].name}\` to the features is proven for all weights${why}`,
      "constrain the weights, `constraint: orthogonal` for example, or use margin(…)",
    );
  }
  return good({ weight: node.weights.weight, gain: proven });
}

function misfit(recipe: TrainConfig, reason: string, help?: string): Result<never> {
  const params = { what: "The loss `emma`", reason };
  return bad(diagnostic("recipe-misfit", recipe.span, params, help === undefined ? {} : { help }));
}

function rootOf(reason: Reason): Reason {
  let root = reason;
  while (root.because.length > 0) root = root.because[0];
  return root;
}

/** ‖w_i − w_j‖₂ for all pairs of rows, [rows, rows], from the Gram matrix; 0, without a gradient, where rows are equal. */
function rowDistances(builder: Builder, w: Tensor): Tensor {
  const [rows] = w.shape;
  const gram = builder.matmul(w, w, false, true);
  const squares = builder.sum(builder.mul(w, w), [1], true);
  const square = builder.sub(builder.add(squares, builder.reshape(squares, [1, rows])), builder.mul(gram, 2));
  const apart = builder.greater(square, tiny);
  return builder.select(apart, builder.sqrt(builder.maximum(square, tiny)), 0);
}
