/** Points of an input's domain, and pairs of them to start a search from. */
import type { Range } from "../../src/gain/facts.ts";
import type { Domain, Norm, Shape } from "../../src/model/model.ts";
import { normal } from "../rig/matrix.ts";
import { normOf } from "../rig/search.ts";
import type { Dice } from "./dice.ts";
import { sizeOf } from "./tensors.ts";

/** Puts a point into the domain, in place. */
export function intoDomain(x: Float64Array, shape: Shape, domain: Domain): void {
  if (domain.kind === "box") x.forEach((v, i) => (x[i] = Math.min(Math.max(v, domain.low), domain.high)));
  if (domain.kind !== "ball") return;
  const width = domain.norm === "l2" ? x.length : domain.norm === "linf" ? 1 : (shape.at(-1) ?? 1);
  for (let at = 0; at < x.length; at += width) {
    const part = x.subarray(at, at + width);
    const size = normOf(part, [width], "l2");
    if (size > domain.radius) part.forEach((v, i) => (part[i] = (v * domain.radius * (1 - 1e-15)) / size));
  }
}

/** Puts a value inside of a model where its range says that it is, in place. */
export function intoRange(x: Float64Array, shape: Shape, range: Range): void {
  x.forEach((v, i) => (x[i] = Math.min(Math.max(v, range.low), range.high)));
  for (const norm of ["token", "l2"] as const satisfies readonly Norm[])
    if (range[norm] < Infinity) intoDomain(x, shape, { kind: "ball", norm, radius: range[norm] });
}

/**
 * Whether scaling towards 0 keeps a value inside of its range. A spread below the norm of tokens is one round a constant
 * token that the range doesn't tell (a bias): points about 0 would not be what the rules are told to expect.
 */
export const isCentred = (range: Range): boolean =>
  range.low <= 0 && range.high >= 0 && range.spread >= range.token;

/** A point of an input's domain: inside, at a corner, or at 0. */
export function sample(shape: Shape, domain: Domain, d: Dice): Float64Array {
  const size = sizeOf(shape);
  if (domain.kind === "tokens") return Float64Array.from({ length: size }, () => d.below(domain.count));
  const scale = domain.kind === "unbounded" ? d.pick([0.01, 1, 30]) : d.pick([0.1, 1, 1e3]);
  const same = d.chance(0.2) ? normal(d.random) : null;
  const x = Float64Array.from({ length: size }, () => scale * (same ?? normal(d.random)));
  if (d.chance(0.1)) x.fill(0);
  intoDomain(x, shape, domain);
  return x;
}

/** A typical entry of a start. */
export function scaleFor(domain: Domain | undefined, count: number, d: Dice): number {
  if (domain?.kind === "box")
    return d.pick([0.1, 0.5, 1]) * Math.max(Math.abs(domain.low), domain.high, 1e-3);
  if (domain?.kind === "ball") {
    // Of the entries of a point that a ball just holds.
    const share = domain.norm === "linf" ? 1 : Math.sqrt(count);
    return (d.pick([0.1, 0.5, 1]) * domain.radius) / share;
  }
  return d.pick([1e-3, 0.03, 0.3, 1, 5]);
}

type Pattern = (i: number, d: Dice) => number;

/** Perturbations with a shape: what averages away, what is read most often, what one token or channel carries. */
function patterns(shape: Shape, d: Dice): Pattern[] {
  const [size, width] = [sizeOf(shape), shape.at(-1) ?? 1];
  const tokens = size / width;
  const [hot, token, channel] = [d.below(size), d.below(tokens), d.below(width)];
  const inside = [...Array(tokens).keys()].map(() => normal(d.random));
  return [
    (i) => (i === hot ? 1 : 0),
    (i) => (Math.floor(i / width) === token ? 1 : 0),
    (i) => (Math.floor(i / width) === token ? (i % 2 === 0 ? 1 : -1) : 0),
    (i) => (i % width === channel ? 1 : 0),
    () => 1,
    (i) => (i % 2 === 0 ? 1 : -1),
    (i) => (Math.floor(i / width) % 2 === 0 ? 1 : -1),
    (i) => (i === 0 ? -(size - 1) : 1),
    (i) => inside[Math.floor(i / width)],
  ];
}

/** Pairs of points of a domain with a shape: `distance` apart in every entry that moves. */
export function structured(
  shape: Shape,
  keep: (x: Float64Array) => void,
  scale: number,
  d: Dice,
  count: number,
): [Float64Array, Float64Array][] {
  const size = sizeOf(shape);
  const made: [Float64Array, Float64Array][] = [];
  for (let tries = 0; made.length < count && tries < 3 * count; tries++) {
    const all = patterns(shape, d);
    const base = d.chance(0.3) ? () => 0 : d.chance(0.5) ? d.pick(all) : () => normal(d.random);
    const [move, far] = [d.pick(all), d.pick([1e-6, 1e-3, 0.03, 0.3, 2])];
    const height = scale * d.pick([0, 0.01, 0.1, 1, 1, 1e3]);
    const x = Float64Array.from({ length: size }, (_, i) => height * base(i, d));
    const y = x.map((v, i) => v + scale * far * move(i, d));
    keep(x);
    keep(y);
    if (x.some((v, i) => v !== y[i])) made.push([x, y]);
  }
  return made;
}
