import type { Phase } from "../../model/model.ts";

/** Numbers for people. Bounds are rounded up, so that what is printed is still proven. */

/** Three significant digits, never below x: 1, 4.37, 2.11e3, 1.3e-4, ∞. */
export function showBound(x: number): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "no bound" : "∞";
  if (x === 0) return "0";
  const exponent = Math.floor(Math.log10(x));
  if (exponent < -3 || exponent > 3) return tidy(atLeast(x, 2));
  const decimals = Math.max(0, 2 - exponent);
  const unit = 10 ** -decimals;
  let text = x.toFixed(decimals);
  if (Number(text) < x) text = (Number(text) + unit).toFixed(decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** In scientific form with so many digits after the point, the last one raised where rounding went below x. */
function atLeast(x: number, digits: number): string {
  const text = x.toExponential(digits);
  if (Number(text) >= x) return text;
  const [mantissa, exponent] = text.split("e");
  return `${(Number(mantissa) + 10 ** -digits).toFixed(digits)}e${exponent}`;
}

function tidy(text: string): string {
  const [mantissa, exponent] = text.split("e");
  return `${mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa}e${Number(exponent)}`;
}

/** A share of a bound, to the nearest of three digits: 7, 43.5, 1.2e4. */
export function showFactor(x: number): string {
  if (!Number.isFinite(x)) return "∞";
  const near = Number(x.toPrecision(3));
  return near >= 1e4 || near < 1e-3 ? near.toExponential().replace("e+", "e") : String(near);
}

/** A number as the spec writes it: the stored one may lie a rounding below. */
export function showLimit(x: number): string {
  const near = Number(x.toPrecision(12));
  return Math.abs(near) >= 1e6 || (near !== 0 && Math.abs(near) < 1e-3)
    ? near.toExponential().replace("e+", "e")
    : String(near);
}

/** at init, always, at checkpoint */
export function phaseName(phase: Phase): string {
  return phase === "always" ? "always" : `at ${phase}`;
}

/** 30 908 578 */
export function showCount(n: number): string {
  return n.toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

/** 1 epoch, 12 epochs */
export function plural(n: number, noun: string): string {
  return `${showCount(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** 14.4 M, 4.98 G */
export function showLarge(n: number): string {
  for (const [size, unit] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    // From 1000 on toPrecision would write 1.02e+3.
    if (n >= size) return `${n / size >= 1000 ? Math.round(n / size) : (n / size).toPrecision(3)} ${unit}`;
  }
  return String(n);
}

/** 1.21 GiB */
export function showBytes(n: number): string {
  for (const [size, unit] of [
    [2 ** 40, "TiB"],
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ] as const) {
    // From 1000 on toPrecision would write 1.02e+3.
    if (n >= size) return `${n / size >= 1000 ? Math.round(n / size) : (n / size).toPrecision(3)} ${unit}`;
  }
  return `${n} bytes`;
}

/** [h 224, w 224, 3] */
export function showShape(shape: readonly number[], axes: readonly (string | null)[]): string {
  return `[${shape.map((n, i) => (axes[i] ? `${axes[i]} ${n}` : `${n}`)).join(", ")}]`;
}
