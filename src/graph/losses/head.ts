/**
 * What losses about the certified radius ask of a model: a linear head, and a proven gain up to it. With them
 *   L_ab = ‖w_a − w_b‖₂·G   bounds how fast the difference of two logits changes per unit of the input,
 * so that (z_a − z_b)/L_ab is a radius within which b doesn't overtake a.
 */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import { Analysis } from "../../gain/analyze.ts";
import { entry, type Reason } from "../../gain/gain.ts";
import type { Model, TrainConfig, WeightId } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import { effectiveWeight } from "../constraints/registry.ts";
import type { LossContext } from "./loss.ts";

/** Below this a squared distance of two rows counts as none; its root is still a normal float32. */
const tiny = 1e-12;

/** L_ab of all pairs of classes, [classes, classes], for the loss of that name; 0 where a = b or two rows are equal. */
export function pairSpeeds({ builder, model, recipe, params }: LossContext, loss: string): Result<Tensor> {
  const head = headOf(model, recipe, loss);
  if (!head.ok) return head;
  const { weight, gain } = head.value;
  const effective = effectiveWeight(builder, model.weights[weight], params[weight]);
  builder.origin = "loss";
  return good(builder.mul(rowDistances(builder, effective), gain));
}

/** The linear head, and what is proven of the features before it. */
export interface Head {
  /** (classes, features) */
  readonly weight: WeightId;
  /** ≥ ‖features(x) − features(x')‖₂/‖x − x'‖₂ for all weights that training can reach. */
  readonly gain: number;
}

/** Refused where the logits aren't a Linear of one token of features, or nothing is proven of those. `loss` asks for it. */
export function headOf(model: Model, recipe: TrainConfig, loss: string): Result<Head> {
  const logits = model.outputs[0].value;
  const node = model.nodes.find(({ outputs }) => outputs.includes(logits));
  if (node?.layer !== "Linear" || model.values[node.inputs[0]].shape.length !== 1)
    return misfit(recipe, loss, "the logits must come from a `Linear` on one vector of features");
  if (model.inputs.length !== 1) return misfit(recipe, loss, "it is about models with one input");
  const gain = new Analysis(model, "always").gainFrom(model.inputs[0].value, node.inputs[0]);
  const proven = entry(gain, "l2", "l2");
  if (!(proven > 0 && proven < Infinity)) {
    const why = gain.why ? `: ${rootOf(gain.why).text}` : "";
    return misfit(
      recipe,
      loss,
      proven === 0
        ? "the features don't depend on the input"
        : `no gain from \`${model.inputs[0].name}\` to the features is proven for all weights${why}`,
      "constrain the weights, `constraint: orthogonal` for example, or use margin(…)",
    );
  }
  return good({ weight: node.weights.weight, gain: proven });
}

/** The loss makes no sense for this model or recipe. */
export function misfit(recipe: TrainConfig, loss: string, reason: string, help?: string): Result<never> {
  const params = { what: `The loss \`${loss}\``, reason };
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
