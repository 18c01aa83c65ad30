/** Σ x² over all of a tensor, as in the gradients' norm: one operator in place of a pass and a sum. */
import type { Fuser } from "./fusion.ts";

/**
 * The square may be wanted elsewhere too (Adam's second moment is made of the same one); then it is made there, when it
 * is needed. Kept from the norm to the update, the squares of all gradients would be as large as the gradients.
 */
export const fuseSquareSum: Fuser = (view, id) => {
  const sum = view.as(id, "sum");
  if (sum === undefined || sum.shape.length !== 0 || view.provider !== "cpu") return undefined;
  const square = view.as(sum.inputs[0], "mul");
  if (square === undefined || square.inputs[0] !== square.inputs[1] || square.shape.length === 0)
    return undefined;
  const axes = square.shape.map((_, i) => i);
  return {
    covers: view.uses(sum.inputs[0]) === 1 ? [sum.inputs[0]] : [],
    emit: (e) => e.node("ReduceSumSquare", [e.value(square.inputs[0]), e.int64(axes)], { keepdims: 0 }),
  };
};
