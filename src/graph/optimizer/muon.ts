/**
 * Muon: momentum whose matrix is orthogonalised before it is taken as the step (Jordan et al. 2024, "Muon: an optimizer
 * for hidden layers in neural networks"; Bernstein & Newhouse 2024, arXiv 2409.20325: steepest descent in the spectral
 * norm). For weights that are matrices; all others of the recipe are moved by AdamW (`ruleOf`).
 */
import type { Weight } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import { sizeOf } from "../primitives/arrays.ts";
import { numberOf, type Optimizer } from "./optimizer.ts";

/** The reference implementation's quintic: largest slope at 0, singular values then end between 0.7 and 1.2. */
const quintic = [3.4445, -4.775, 2.0315] as const;

/** Added to the norm that the momentum is divided by, as in the reference implementation. */
const guard = 1e-7;

/**
 * With the matrix g (out, everything else), β the momentum, O the orthogonalisation
 *   m ← βm + (1 − β)g,  u = βm + (1 − β)g (Nesterov),  θ ← (1 − lr·decay)·θ − lr·√max(1, out/in)·O(u)
 * The factor is that of the reference implementation: a step has spectral norm lr·√max(1, out/in), whatever the gradient's
 * size, so that `lr` is in units of the weight's own norm, and one value serves layers of all widths.
 *
 * On a square weight under `orthogonal` nothing has to be projected: its gradient comes through a Björck step and is
 * tangent, X·A with A skew, and O, an odd polynomial, gives X·O(A), tangent again. What is left of a rectangular one's, and
 * of a momentum from earlier points, the retraction takes away.
 */
export const muon: Optimizer = {
  name: "muon",
  slots: () => ["m"],
  update(builder, options, { param, grad, scale, state, lr, weightDecay }) {
    const beta = numberOf(options, "momentum", 0.95);
    const fresh = builder.mul(grad, scale ? builder.mul(scale, 1 - beta) : 1 - beta);
    const m = builder.add(builder.mul(state[0], beta), fresh);
    const ahead = builder.add(builder.mul(m, beta), fresh);
    const [out, inner] = matrixOf(param.shape);
    const matrix = builder.reshape(ahead, [out, inner]);
    const direction = orthogonalised(builder, matrix, numberOf(options, "ns_steps", 5));
    const rate = builder.mul(lr, Math.sqrt(Math.max(1, out / inner)));
    const kept = weightDecay === 0 ? param : builder.mul(param, builder.sub(1, builder.mul(lr, weightDecay)));
    const next = builder.sub(kept, builder.mul(builder.reshape(direction, param.shape), rate));
    return { param: next, state: [m] };
  },
};

/** Whether Muon moves a weight: a matrix or the kernel of a convolution, as (out, everything else), two or more a side. */
export function isMatrix({ role, shape }: Weight): boolean {
  if (role !== "matrix" && role !== "kernel") return false;
  return Math.min(...matrixOf(shape)) >= 2;
}

function matrixOf(shape: readonly number[]): [out: number, inner: number] {
  const out = shape[0] ?? 1;
  return [out, sizeOf(shape) / out];
}

/**
 * Near UVᵀ for x = U·S·Vᵀ: `steps` times X ← aX + (bA + cA²)X with A = XXᵀ, from x/‖x‖_F. The same in A = XᵀX where that
 * is smaller.
 */
function orthogonalised(builder: Builder, x: Tensor, steps: number): Tensor {
  const [a, b, c] = quintic;
  const [rows, columns] = x.shape;
  const tall = rows > columns;
  const norm = builder.sqrt(builder.sum(builder.mul(x, x), [0, 1]));
  let y = builder.div(x, builder.add(norm, guard));
  for (let i = 0; i < steps; i++) {
    const gram = builder.matmul(y, y, tall, !tall);
    const curve = builder.add(builder.mul(gram, b), builder.mul(builder.matmul(gram, gram), c));
    const bent = tall ? builder.matmul(y, curve) : builder.matmul(curve, y);
    y = builder.add(builder.mul(y, a), bent);
  }
  return y;
}
