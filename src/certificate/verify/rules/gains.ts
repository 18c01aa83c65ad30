/**
 * Gain matrices over any arithmetic. Norms in the order l2 (Frobenius), token (largest l2 norm of a token), linf; entry
 * 3·p + q bounds ‖δvalue‖_q/‖δsource‖_p. Mathematics: docs/gains.md, sections 1 and 9.
 */
import { hypot, root, type Arith } from "./arith.ts";

export type Shape = readonly number[];
export type Norm = "l2" | "token" | "linf";
export type Gain<T> = readonly T[];
export type Stated<T> = { readonly [key in Norm | `${Norm}->${Norm}`]?: T };

export const norms: readonly Norm[] = ["l2", "token", "linf"];

export function at(from: Norm, to: Norm): number {
  return 3 * norms.indexOf(from) + norms.indexOf(to);
}
/** [positions…, channels]; a scalar is one token of one channel. */
export function tokensOf(shape: Shape): number {
  return shape.slice(0, -1).reduce((n, size) => n * size, 1);
}
export function channelsOf(shape: Shape): number {
  return shape.length === 0 ? 1 : shape[shape.length - 1];
}

/** sup ‖x‖_q/‖x‖_p: linf ≤ token ≤ l2 ≤ √N·token, token ≤ √d·linf, l2 ≤ √(N·d)·linf. */
export function conversion<T>(a: Arith<T>, shape: Shape): Gain<T> {
  const [n, d] = [tokensOf(shape), channelsOf(shape)];
  const one = a.num(1);
  return [one, one, one, root(a, n), one, one, root(a, n * d), root(a, d), one];
}

/** Sequence in the (min, ×) semiring: first `f`, then `g`. */
export function sequence<T>(a: Arith<T>, f: Gain<T>, g: Gain<T>): Gain<T> {
  return f.map((_, i) => {
    const [p, r] = [Math.floor(i / 3), i % 3];
    return a.min(a.mul(f[3 * p], g[r]), a.mul(f[3 * p + 1], g[3 + r]), a.mul(f[3 * p + 2], g[6 + r]));
  });
}

export function zeros<T>(a: Arith<T>): Gain<T> {
  return new Array<T>(9).fill(a.num(0));
}
export function unproven<T>(a: Arith<T>): Gain<T> {
  return new Array<T>(9).fill(a.num(Infinity));
}

/** A map's own matrix from the entries that its rule states, closed by the conversions of both sides. */
export function closed<T>(a: Arith<T>, stated: Stated<T>, input: Shape, output: Shape): Gain<T> {
  const raw = [...unproven(a)];
  for (const p of norms) {
    for (const q of norms) {
      for (const key of p === q ? [p, `${p}->${q}` as const] : [`${p}->${q}` as const]) {
        const known = stated[key];
        if (known !== undefined) raw[at(p, q)] = a.min(raw[at(p, q)], known);
      }
    }
  }
  return sequence(a, sequence(a, conversion(a, input), raw), conversion(a, output));
}

export function closeValue<T>(a: Arith<T>, gain: Gain<T>, shape: Shape): Gain<T> {
  return sequence(a, gain, conversion(a, shape));
}
export function plus<T>(a: Arith<T>, x: Gain<T>, y: Gain<T>): Gain<T> {
  return x.map((e, i) => a.add(e, y[i]));
}
export function times<T>(a: Arith<T>, factor: T, gain: Gain<T>): Gain<T> {
  return gain.map((e) => a.mul(factor, e));
}
export function tighter<T>(a: Arith<T>, x: Gain<T>, y: Gain<T>): Gain<T> {
  return x.map((e, i) => a.min(e, y[i]));
}

/** Side by side on channels: l2 and token √Σa², linf max. As more tokens: l2 √Σa², token and linf max. */
export function beside<T>(a: Arith<T>, parts: readonly Gain<T>[], axis: "channels" | "tokens"): Gain<T> {
  return parts[0].map((_, i) => {
    const [first, ...others] = parts.map((gain) => gain[i]);
    const rooted = i % 3 === 0 || (i % 3 === 1 && axis === "channels");
    return rooted ? hypot(a, first, ...others) : a.max(first, ...others);
  });
}
