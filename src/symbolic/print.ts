/** What text and LaTeX share: the coefficient in parts, decimals, the order of factors. */
import { type Atom, type Product } from "./algebra.ts";

/** Digits of a number that is no fraction. */
const digits = 5;

/** Never below x, so that what is printed still holds. */
export function decimalText(x: number): string {
  if (!Number.isFinite(x)) return "∞";
  let near = Number(x.toPrecision(digits));
  if (near < x) near = Number((near + 10 ** (Math.floor(Math.log10(x)) - digits + 1)).toPrecision(digits));
  return `${near}`.replace("e+", "e");
}

export interface Coefficient {
  readonly top: string;
  readonly bottom: string;
  readonly rootTop: string;
  readonly rootBottom: string;
}

/** top·√rootTop/(bottom·√rootBottom) */
export function splitCoefficient({ n, d }: Product): Coefficient {
  const [a, b] = [takeSquares(n), takeSquares(d)];
  return { top: `${a.out}`, bottom: `${b.out}`, rootTop: `${a.left}`, rootBottom: `${b.left}` };
}

/** n = out²·left, with small squares taken out. */
function takeSquares(n: bigint): { out: bigint; left: bigint } {
  const whole = BigInt(Math.round(Math.sqrt(Number(n))));
  if (whole * whole === n) return { out: whole, left: 1n };
  let [out, left] = [1n, n];
  for (let k = 2n; k * k <= left && k < 2000n; k++) {
    while (left % (k * k) === 0n) {
      left /= k * k;
      out *= k;
    }
  }
  return { out, left };
}

/** A sum as it stands: it needs no parentheses where nothing is beside it. */
export function bareSum(p: Product): readonly Product[] | null {
  const [only] = p.powers.values();
  const bare = p.powers.size === 1 && p.n === p.d && p.sign === 1 && only.power === 1;
  return bare && only.atom.kind === "sum" ? only.atom.terms : null;
}

interface Power {
  readonly atom: Atom;
  readonly power: number;
}

/** Gains of the value before, then decimals, numbers of the spec, norms of weights, functions and sums. */
export function orderedPowers(p: Product): { gains: readonly Power[]; others: readonly Power[] } {
  const rank = ({ atom, power }: Power): number => {
    if (atom.kind === "decimal") return 0;
    if (atom.kind === "symbol") return atom.symbol.letter === "σ" ? 2 : 1;
    return power === 1 || atom.kind === "call" ? 4 : 3;
  };
  const isGain = ({ atom, power }: Power): boolean =>
    atom.kind === "symbol" && atom.symbol.path === "" && power > 0;
  const all = [...p.powers.values()];
  return {
    gains: all.filter(isGain),
    others: all.filter((x) => !isGain(x)).sort((a, b) => rank(a) - rank(b)),
  };
}
