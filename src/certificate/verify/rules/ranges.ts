/** Ranges of values over the domain, over any arithmetic (docs/gains.md, section 2). */
import { hypot, root, type Arith } from "./arith.ts";
import { channelsOf, tokensOf, type Norm, type Shape } from "./gains.ts";

/** Norms of a value, the interval of its entries, and the spread: how far a token is from one constant token. */
export interface Range<T> {
  readonly l2: T;
  readonly token: T;
  readonly linf: T;
  readonly low: T;
  readonly high: T;
  readonly spread: T;
}

export type Domain =
  | { readonly kind: "box"; readonly low: number; readonly high: number }
  | { readonly kind: "ball"; readonly norm: Norm; readonly radius: number }
  | { readonly kind: "tokens"; readonly count: number }
  | { readonly kind: "unbounded" };

/** What is stated, and what follows by the norms' conversions; nothing stated: nothing known. */
export function closeRange<T>(a: Arith<T>, stated: Partial<Range<T>>, shape: Shape): Range<T> {
  const [rootN, rootD] = [root(a, tokensOf(shape)), root(a, channelsOf(shape))];
  const infinite = a.num(Infinity);
  const { l2 = infinite, token = infinite, linf = infinite, spread = infinite } = stated;
  const { low = a.num(-Infinity), high = infinite } = stated;
  const entry = a.min(linf, a.max(a.abs(low), a.abs(high)), token, l2);
  const oneToken = a.min(token, l2, a.mul(rootD, entry));
  const all = a.min(l2, a.mul(rootN, oneToken));
  const most = a.min(entry, oneToken);
  const [least, greatest] = [a.max(low, a.sub(a.num(0), most)), a.min(high, most)];
  const half = a.mul(rootD, a.mul(a.num(0.5), a.sub(greatest, least)));
  return {
    l2: all,
    token: oneToken,
    linf: most,
    low: least,
    high: greatest,
    spread: a.min(spread, oneToken, half),
  };
}

export function unbounded<T>(a: Arith<T>, shape: Shape): Range<T> {
  return closeRange(a, {}, shape);
}

export function rangeOfDomain<T>(a: Arith<T>, domain: Domain, shape: Shape): Range<T> {
  if (domain.kind === "box")
    return closeRange(a, { low: a.num(domain.low), high: a.num(domain.high) }, shape);
  if (domain.kind === "ball") return closeRange(a, { [domain.norm]: a.num(domain.radius) }, shape);
  return unbounded(a, shape);
}

/** Radii scaled by one factor in every norm. */
export function scaledRange<T>(a: Arith<T>, factor: T, r: Range<T>): Omit<Range<T>, "low" | "high"> {
  return {
    l2: a.mul(factor, r.l2),
    token: a.mul(factor, r.token),
    linf: a.mul(factor, r.linf),
    spread: a.mul(factor, r.spread),
  };
}

/** The smallest range of this kind that holds both; their constant tokens may differ. */
export function hull<T>(a: Arith<T>, x: Range<T>, y: Range<T>): Range<T> {
  return {
    l2: a.max(x.l2, y.l2),
    token: a.max(x.token, y.token),
    linf: a.max(x.linf, y.linf),
    low: a.min(x.low, y.low),
    high: a.max(x.high, y.high),
    spread: a.max(x.token, y.token),
  };
}

/** y_t = f(x_t) + b with f(0) = 0: R ≤ gain·R + ‖b‖; the spread forgets b. `always` bounds f whatever x is. */
export function tokenwiseRange<T>(
  a: Arith<T>,
  input: Range<T>,
  shape: Shape,
  gain: { readonly token: T; readonly linf: T },
  bias: { readonly token: T; readonly linf: T },
  always: { readonly token: T; readonly linf: T } | null = null,
): Range<T> {
  const infinite = a.num(Infinity);
  const inner = a.min(a.mul(gain.token, input.token), always?.token ?? infinite);
  const entries = a.min(a.mul(gain.linf, input.linf), always?.linf ?? infinite, inner);
  return closeRange(
    a,
    {
      l2: a.add(a.mul(gain.token, input.l2), a.mul(root(a, tokensOf(shape)), bias.token)),
      token: a.add(inner, bias.token),
      linf: a.add(entries, bias.linf),
      spread: a.min(a.mul(gain.token, input.spread), inner),
    },
    shape,
  );
}

/** Values side by side. */
export function joinedRange<T>(
  a: Arith<T>,
  parts: readonly Range<T>[],
  axis: "channels" | "tokens",
  shape: Shape,
): Range<T> {
  const of = (key: keyof Range<T>): [T, ...T[]] => parts.map((part) => part[key]) as [T, ...T[]];
  const channels = axis === "channels";
  return closeRange(
    a,
    {
      l2: hypot(a, ...of("l2")),
      token: channels ? hypot(a, ...of("token")) : a.max(...of("token")),
      linf: a.max(...of("linf")),
      low: a.min(...of("low")),
      high: a.max(...of("high")),
      ...(channels ? { spread: hypot(a, ...of("spread")) } : {}),
    },
    shape,
  );
}
