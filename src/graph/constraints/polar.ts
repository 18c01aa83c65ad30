/**
 * The polar factor by Björck's iteration B(X) = X(3I − XᵀX)/2 (Björck & Bowie 1971; in networks: Anil, Lucas & Grosse
 * 2019, arXiv 1811.05381). With X = UΣVᵀ it is B(X) = U·diag((3s − s³)/2)·Vᵀ: it acts on each singular value s alone.
 *
 * Fact: if ‖X‖₂ ≤ 2 then ‖B(X)‖₂ ≤ 1. Proof: φ(s) = (3s − s³)/2 has φ' = 3(1 − s²)/2, so on [0, 2] it rises from 0 to
 * φ(1) = 1 and falls to φ(2) = −1: |φ(s)| ≤ 1 there. More steps stay in [0, 1] up to sign, and draw every singular
 * value but those at 0 and √3 to ±1, quadratically: 1 − φ(1 − δ) = 3δ²/2 − δ³/2.
 */
import type { Builder, Tensor } from "../builder.ts";
import { largestEntry } from "./scale.ts";

/** The smaller of WᵀW and WWᵀ. */
export function gram(builder: Builder, w: Tensor): Tensor {
  return wide(w) ? builder.matmul(w, w, false, true) : builder.matmul(w, w, true, false);
}

function wide({ shape: [rows, columns] }: Tensor): boolean {
  return rows < columns;
}

/** Largest absolute row sum of a matrix, a scalar. */
export function largestRowSum(builder: Builder, a: Tensor): Tensor {
  return builder.max(builder.sum(builder.abs(a), [1]), [0]);
}

/** (3X − X·XᵀX)/2, given the smaller Gram matrix. */
function step(builder: Builder, x: Tensor, g: Tensor): Tensor {
  const cubic = wide(x) ? builder.matmul(g, x) : builder.matmul(x, g);
  return builder.sub(builder.mul(x, 1.5), builder.mul(cubic, 0.5));
}

/** `steps` Björck steps on a matrix whose spectral norm is at most 2: the caller's promise. */
export function bjorck(builder: Builder, w: Tensor, steps: number): Tensor {
  let x = w;
  for (let i = 0; i < steps; i++) x = step(builder, x, gram(builder, x));
  return x;
}

/**
 * Towards the polar factor of any finite matrix, in `steps` ≥ 1 Björck steps; ‖result‖₂ ≤ 1 always.
 *
 * The matrix is divided by b = h·√max(1, ‖G‖_∞/2), h = max(1, max|M|/10¹²), G the Gram matrix of M/h and ‖·‖_∞ its
 * largest absolute row sum. Then ‖M/b‖₂ ≤ √2, because ‖M/h‖₂² = ‖G‖₂ ≤ ‖G‖_∞ (a symmetric matrix). Near orthogonal
 * matrices have G ≈ I and b = 1: nothing is scaled. √2 and not 2: at √3 a singular value would be sent to 0, and b as a
 * function of M doesn't jump. h keeps squares of huge entries from overflowing; where it isn't 1 it cancels in b.
 */
export function polar(builder: Builder, w: Tensor, steps: number): Tensor {
  const sized = builder.div(w, builder.maximum(builder.mul(largestEntry(builder, w), 1e-12), 1));
  const g = gram(builder, sized);
  const square = builder.maximum(builder.mul(largestRowSum(builder, g), 0.5), 1);
  const first = step(builder, builder.div(sized, builder.sqrt(square)), builder.div(g, square));
  return bjorck(builder, first, steps - 1);
}
