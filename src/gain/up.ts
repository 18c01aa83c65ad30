/**
 * Arithmetic on upper bounds: every result is a float64 that is ≥ the exact real result of its float64 arguments,
 * and equal to it where that is representable (so that 1·1 stays 1, and a claim `<= 1` can be met).
 *
 * Arguments are ≥ 0 or +∞ unless a docstring says otherwise. NaN becomes +∞ ("no proof"), and ∞ wins over
 * everything but a factor that is exactly 0 (docs/gains.md, b3).
 *
 * Method: IEEE addition, product, quotient and root are correctly rounded, so the exact result lies within half an
 * ulp; the sign of the exact error (Dekker/Knuth error-free transformations) says whether to step up. trust: T1
 */

const view = new DataView(new ArrayBuffer(8));

/** Read from memory, so that no compiler decides it beforehand. */
const smallest = Float64Array.of(2 ** -1074);

/**
 * Throws where the thread takes subnormal numbers for 0, as a native library can make it: then nothing below rounds up.
 * Whatever proves something asks first. trust: T1
 */
export function requireSubnormals(): void {
  const [x] = smallest;
  if (!(x > 0 && 2 ** -1022 - x < 2 ** -1022))
    throw new Error("this thread takes subnormal numbers for 0: no bound can be rounded up");
}

/** The smallest float64 above x (x any number; +∞ stays). */
export function nextUp(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return Infinity;
  if (x === 0) return Number.MIN_VALUE;
  view.setFloat64(0, x);
  const bits = view.getBigInt64(0);
  view.setBigInt64(0, x > 0 ? bits + 1n : bits - 1n);
  return view.getFloat64(0);
}

/** The largest float64 below x. */
export function nextDown(x: number): number {
  return -nextUp(-x);
}

/** Exact error a + b − fl(a + b) (Knuth). */
function sumError(a: number, b: number, s: number): number {
  const bb = s - a;
  return a - (s - bb) + (b - bb);
}

const splitter = 134217729; // 2^27 + 1

/** Exact error a·b − fl(a·b) (Dekker), where neither splitting nor the product leaves the normal range. */
function productError(a: number, b: number, p: number): number {
  const ca = splitter * a;
  const ah = ca - (ca - a);
  const al = a - ah;
  const cb = splitter * b;
  const bh = cb - (cb - b);
  const bl = b - bh;
  return al * bl - (p - ah * bh - al * bh - ah * bl);
}

/** Whether the error-free product is valid for these magnitudes: far inside of the normal range. trust: T1 */
function tame(x: number): boolean {
  return x > 1e-140 && x < 1e140;
}

/** ≥ a + b. Arguments of any sign, not −∞. */
export function addUp(a: number, b: number): number {
  const s = a + b;
  if (Number.isNaN(s)) return Infinity;
  if (s === Infinity) return Infinity;
  if (Math.abs(s) > 1e300) return nextUp(s);
  return sumError(a, b, s) > 0 ? nextUp(s) : s;
}

/** ≥ a − b, for finite b. Arguments of any sign. */
export function subUp(a: number, b: number): number {
  return addUp(a, -b);
}

/** ≤ a − b: rounds down. For denominators such as 1 − κ. */
export function subDown(a: number, b: number): number {
  return -addUp(-a, b);
}

/** ≥ a·b for a, b ≥ 0. ∞·0 is 0 only because the 0 is an exact zero factor. */
export function mulUp(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b) || a < 0 || b < 0) return Infinity;
  if (a === 0 || b === 0) return 0;
  const p = a * b;
  if (p === Infinity) return Infinity;
  if (a === 1 || b === 1) return p;
  if (!tame(a) || !tame(b) || !tame(p)) return nextUp(p);
  return productError(a, b, p) > 0 ? nextUp(p) : p;
}

/** ≥ a/b for a ≥ 0, b ≥ 0. Division by 0, or by a number that may be 0, is ∞. */
export function divUp(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b) || a < 0 || b < 0) return Infinity;
  if (b === 0) return Infinity;
  if (a === 0) return 0;
  const q = a / b;
  if (q === Infinity || !Number.isFinite(b)) return Number.isFinite(a) ? nextUp(q) : Infinity;
  if (b === 1) return q;
  if (!tame(a) || !tame(b) || !tame(q)) return nextUp(q);
  // a − q·b exactly: the product's head and error against a.
  const p = q * b;
  const remainder = a - p - productError(q, b, p);
  return remainder > 0 ? nextUp(q) : q;
}

/** ≥ √a for a ≥ 0. */
export function sqrtUp(a: number): number {
  if (Number.isNaN(a) || a < 0) return Infinity;
  if (a === 0 || a === 1 || a === Infinity) return a;
  const r = Math.sqrt(a);
  if (!tame(a) || !tame(r)) return nextUp(r);
  const p = r * r;
  const remainder = a - p - productError(r, r, p);
  return remainder > 0 ? nextUp(r) : r;
}

/** ≤ √a for a ≥ 0: for denominators. */
export function sqrtDown(a: number): number {
  if (!(a > 0)) return 0;
  const r = Math.sqrt(a);
  if (a === 1) return 1;
  if (!tame(a) || !tame(r)) return nextDown(r);
  const p = r * r;
  const remainder = a - p - productError(r, r, p);
  return remainder < 0 ? nextDown(r) : r;
}

/** ≥ max of all; NaN is ∞. */
export function maxUp(...xs: readonly number[]): number {
  let m = 0;
  for (const x of xs) {
    if (Number.isNaN(x)) return Infinity;
    if (x > m) m = x;
  }
  return m;
}

/** The smaller of two upper bounds of one thing; NaN is no bound. */
export function minBound(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? Infinity : b;
  if (Number.isNaN(b)) return a;
  return a < b ? a : b;
}

/** ≥ Σ xs. */
export function sumUp(xs: readonly number[]): number {
  let s = 0;
  for (const x of xs) s = addUp(s, x);
  return s;
}

/** ≥ √(Σ x²), arguments of any sign. One exact operand and zeros give it back exactly. */
export function hypotUp(...xs: readonly number[]): number {
  const nonzero = xs.filter((x) => x !== 0).map(Math.abs);
  if (nonzero.length === 0) return 0;
  if (nonzero.length === 1) return Number.isNaN(nonzero[0]) ? Infinity : nonzero[0];
  const m = maxUp(...nonzero);
  if (m === Infinity) return Infinity;
  // Scaling by a power of two keeps squares in range and is exact (up to underflow, covered by nextUp in mulUp).
  // trust: T1, T3
  const scale = 2 ** Math.floor(Math.log2(m));
  if (!(scale > 0) || !Number.isFinite(scale)) return Infinity;
  let s = 0;
  for (const x of nonzero) {
    const y = divUp(x, scale);
    s = addUp(s, mulUp(y, y));
  }
  return mulUp(scale, sqrtUp(s));
}

/** ≥ √n for a count n. */
export function sqrtOf(n: number): number {
  return sqrtUp(n);
}

/**
 * ≥ e^x and ≤ e^x. Math.exp is not specified to be correctly rounded; V8's fdlibm errs by less than 1 ulp, and a
 * relative margin of 2⁻⁴⁹ (8 ulp) is taken on top. x any number. trust: T2
 */
export function expUp(x: number): number {
  if (Number.isNaN(x)) return Infinity;
  if (x === 0) return 1;
  const e = Math.exp(x);
  return e === Infinity ? Infinity : nextUp(e + e * 2 ** -49);
}
export function expDown(x: number): number {
  if (Number.isNaN(x)) return 0;
  if (x === 0) return 1;
  const e = Math.exp(x);
  if (e === Infinity) return Number.MAX_VALUE;
  return Math.max(0, nextDown(e - e * 2 ** -49));
}

/** ≥ ln x for x > 0, with the same margin; may be negative. trust: T2 */
export function logUp(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Infinity;
  if (x === 1) return 0;
  const l = Math.log(x);
  return nextUp(l + Math.abs(l) * 2 ** -49);
}

/** The float32 that a number is stored as (nearest). Every fact is about this number. trust: T7 */
export function stored(x: number): number {
  return Math.fround(x);
}

/** The largest-magnitude float32 not beyond x: for factors and range ends, so that rounding never breaks a claim. */
export function storedTowardZero(x: number): number {
  const f = Math.fround(x);
  if (Math.abs(f) <= Math.abs(x)) return f;
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, f);
  bits.setInt32(0, bits.getInt32(0) - 1); // one step towards zero, for either sign
  return bits.getFloat32(0);
}
