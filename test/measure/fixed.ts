/** Real numbers to 300 binary places, as whole numbers: an arithmetic of its own to hold float64 against. */
const places = 300n;
const one = 1n << places;

export type Fixed = bigint;

/** A float64 as it is, down to 2^−300. */
export function fixed(x: number): Fixed {
  if (x === 0) return 0n;
  const exponent = Math.max(-1022, Math.floor(Math.log2(Math.abs(x))));
  const whole = BigInt(x * 2 ** (52 - exponent - (exponent < -960 ? 60 : 0)));
  const shift = places - 52n + BigInt(exponent) + (exponent < -960 ? 60n : 0n);
  return shift >= 0n ? whole << shift : whole >> -shift;
}
export function toNumber(a: Fixed): number {
  if (a < 0n) return -toNumber(-a);
  const length = a.toString(2).length;
  const drop = BigInt(Math.max(0, length - 60));
  return Number(a >> drop) * 2 ** (Number(drop) - Number(places));
}
export const times = (a: Fixed, b: Fixed): Fixed => (a * b) >> places;
export const over = (a: Fixed, b: Fixed): Fixed => (a << places) / b;
export const size = (a: Fixed): Fixed => (a < 0n ? -a : a);
export const larger = (a: Fixed, b: Fixed): Fixed => (a > b ? a : b);

export function root(a: Fixed): Fixed {
  const target = a << places;
  if (target === 0n) return 0n;
  let x = 1n << BigInt(Math.ceil(target.toString(2).length / 2) + 1);
  for (;;) {
    const next = (x + target / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Row-major matrices. */
export interface FixedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly at: (r: number, c: number) => Fixed;
}

export function matrix(rows: number, columns: number, at: (r: number, c: number) => Fixed): FixedMatrix {
  const held = Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns));
  return { rows, columns, at: (r, c) => held[r * columns + c] };
}
export function product(a: FixedMatrix, b: FixedMatrix): FixedMatrix {
  return matrix(a.rows, b.columns, (r, c) => {
    let s = 0n;
    for (let k = 0; k < a.columns; k++) s += a.at(r, k) * b.at(k, c);
    return s >> places;
  });
}
export function turned(a: FixedMatrix): FixedMatrix {
  return matrix(a.columns, a.rows, (r, c) => a.at(c, r));
}
export function total(count: number, at: (i: number) => Fixed): Fixed {
  let s = 0n;
  for (let i = 0; i < count; i++) s += at(i);
  return s;
}
export const unit = one;
