/**
 * Changes of certificates, and a judge of whether a changed one is true that shares no code with the checker: it makes a
 * Model of the certificate's layer graph and asks the analysis (src/gain) in each phase. A certificate is true where nothing
 * that it states is below what the analysis proves of that graph.
 */
import { Analysis } from "../../src/gain/analyze.ts";
import { verdictOf } from "../../src/gain/claims.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Model, Node } from "../../src/model/model.ts";
import type { Certificate, ModelDocument } from "../../src/certificate/verify/document.ts";

/** A stream of whole numbers below n (mulberry32). */
export function generator(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % n;
  };
}

type Draw = (n: number) => number;
type Container = { [key: string]: unknown } | unknown[];

/** What a reader can't check, because it only names: changing it makes nothing false. */
const labels = new Set(["lipsc", "path", "instance", "set", "fromName", "toName", "name"]);

/** Every place in a document: its container and key, labels left out. */
function placesOf(x: unknown, found: [Container, string | number][] = []): [Container, string | number][] {
  if (typeof x !== "object" || x === null) return found;
  for (const key of Object.keys(x)) {
    if (labels.has(key)) continue;
    found.push([x as Container, Array.isArray(x) ? Number(key) : key]);
    placesOf((x as Record<string, unknown>)[key], found);
  }
  return found;
}

const view = new DataView(new ArrayBuffer(8));
function neighbour(x: number, by: bigint): number {
  if (x === 0) return by > 0n ? 5e-324 : -5e-324;
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + by);
  return view.getFloat64(0);
}

function changedNumber(x: number, draw: Draw): unknown {
  const whole = Number.isInteger(x);
  const choices = [
    () => neighbour(x, -1n),
    () => neighbour(x, 1n),
    () => x * (1 - 2 ** -30),
    () => x / 2,
    () => x * 2,
    () => -x,
    () => 0,
    () => 1,
    () => null,
    () => (whole ? x + 1 : x * 0.999),
    () => (whole ? x - 1 : x * 1.001),
    () => 1e308,
    () => String(x),
  ];
  return choices[draw(choices.length)]();
}

const words = [
  ..."l2 token linf rms init always checkpoint spectral orthogonal zeros ones none aol frobenius unit_rows".split(
    " ",
  ),
  ..."initialiser constraint range measured nothing box ball unbounded additive convex root max raw unit".split(
    " ",
  ),
  ..."Linear Conv ReLU GELU CenterNorm UnitNorm MeanPool Add Split Dropout gain margin radius".split(" "),
  ...["source", "Restriction", "Pointwise", "Sum", "Split and Concat", "residual, convex", "Rearrangement"],
  "0".repeat(64),
];

/** Changes one thing; says what, or null where nothing changed. */
export function mutate(certificate: Certificate, seed: number): string | null {
  const draw = generator(seed);
  const kind = draw(10);
  if (kind === 0) return lie(certificate, draw);
  const places = placesOf(certificate);
  // Numbers of steps are most of a document: half of the changes are elsewhere.
  const elsewhere = placesOf({ model: certificate.model, hashes: certificate.hashes });
  const from = draw(2) === 0 ? places : elsewhere;
  const [container, key] = from[draw(from.length)];
  const at = container as Record<string | number, unknown>;
  const before = JSON.stringify(at[key]);
  if (kind === 1 && Array.isArray(container)) return rearrange(container, draw);
  if (kind === 2 && !Array.isArray(container)) {
    if (draw(2) === 0) delete at[key];
    else at[`${key}2`] = at[key];
    return `key ${key}`;
  }
  const value = at[key];
  if (typeof value === "number") at[key] = changedNumber(value, draw);
  else if (value === null) at[key] = [0, 1, 1e300][draw(3)];
  else if (typeof value === "boolean") at[key] = !value;
  else if (typeof value === "string") at[key] = words[draw(words.length)];
  else if (Array.isArray(value) && value.length > 0) return rearrange(value, draw);
  else at[key] = [null, [], {}][draw(3)];
  const after = JSON.stringify(at[key]);
  return before === after ? null : `${key}: ${before?.slice(0, 60)} → ${after?.slice(0, 60)}`;
}

function rearrange(list: unknown[], draw: Draw): string | null {
  if (list.length === 0) return null;
  const before = JSON.stringify(list);
  const [i, j] = [draw(list.length), draw(list.length)];
  const choices = [
    () => void list.splice(i, 1),
    () => void ([list[i], list[j]] = [list[j], list[i]]),
    () => void list.splice(i, 0, structuredClone(list[j])),
    () => void (list[i] = structuredClone(list[j])),
  ];
  choices[draw(choices.length)]();
  return JSON.stringify(list) === before ? null : `list of ${list.length}: ${i}, ${j}`;
}

/** A lie told with care: one number made smaller, and all that follows from it as well. */
function lie(certificate: Certificate, draw: Draw): string | null {
  const { proofs } = certificate;
  const proof = proofs[draw(proofs.length)];
  const factor = [0.5, 0.999, 1 - 2 ** -40][draw(3)];
  const smaller = (list: (number | null)[]): void =>
    list.forEach((x, i) => (list[i] = x === null ? null : x * factor));
  if (proof.derivations.length > 0 && draw(3) > 0) {
    const { steps } = proof.derivations[draw(proof.derivations.length)];
    const first = draw(steps.length);
    for (const { gain } of steps.slice(first)) smaller(gain as (number | null)[]);
    for (const claim of proof.claims as unknown as { upper: number | null }[])
      if (claim.upper !== null) claim.upper *= factor;
    return `all gains from step ${first} times ${factor}`;
  }
  const first = draw(proof.ranges.length);
  for (const range of proof.ranges.slice(first)) {
    for (const key of Object.keys(range ?? {})) {
      const at = range as unknown as Record<string, number | null>;
      if (at[key] !== null) at[key] *= factor;
    }
  }
  return `all ranges from value ${first} times ${factor}`;
}

const span = { file: "", start: 0, end: 0 };

/** The layer graph of a certificate as a Model. */
export function modelFrom(document: ModelDocument): Model {
  const node = (n: ModelDocument["nodes"][number]): Node => ({
    ...n,
    span,
    calls: [],
    body: n.body && { ...n.body, nodes: n.body.nodes.map(node) },
  });
  return {
    lips: 1,
    name: document.name,
    file: "",
    inputs: document.inputs.map((input) => ({ ...input, span })),
    outputs: document.outputs.map((output) => ({ ...output, span })),
    values: document.values.map((shape) => ({ shape, axes: shape.map(() => null), span })),
    nodes: document.nodes.map(node),
    weights: document.weights.map((weight) => ({ ...weight, role: "matrix", span })),
    instances: [],
    taps: [],
    claims: document.claims.map((claim) => ({ ...claim, text: "", span })),
    train: null,
    span,
  };
}

/** What an accepted certificate states that the analysis does not bear out. The two round differently in the last digits. */
export function falsehoods({ model: document, proofs }: Certificate): string[] {
  const found: string[] = [];
  const model = modelFrom(document);
  const slack = 1 + 2 ** -40;
  const above = (stated: number | null, proven: number, where: string): void => {
    if (stated !== null && !(stated * slack + 1e-300 >= proven))
      found.push(`${where}: ${stated} < ${proven}`);
  };
  const lost = document.nodes.find(({ layer }) => !layers.has(layer));
  if (lost) found.push(`${lost.path}: no layer ${lost.layer}`);
  for (const { phase, facts, ranges, derivations, claims } of proofs) {
    const analysis = new Analysis(model, phase);
    facts.forEach((stated, i) => {
      const proven = weightFacts(model.weights[i], phase);
      for (const key of ["spectral", "frobenius", "rowSum", "rowNorm", "maxAbs"] as const)
        above(stated[key], proven[key], `${phase} weight ${i} ${key}`);
    });
    ranges.forEach((stated, value) => {
      if (!stated) return;
      const proven = analysis.range(value);
      for (const key of ["l2", "token", "linf", "spread"] as const)
        above(stated[key], proven[key], `${phase} range ${value} ${key}`);
      const room = 1e-9 * Math.max(1, Math.abs(proven.low), Math.abs(proven.high));
      if (stated.low !== null && !(stated.low <= proven.low + room))
        found.push(`${phase} range ${value} low`);
      if (stated.high !== null && !(stated.high >= proven.high - room))
        found.push(`${phase} range ${value} high`);
    });
    for (const { source, steps } of derivations) {
      const gains = analysis.from(source);
      for (const { value, gain } of steps)
        gain.forEach((stated, i) =>
          above(stated, gains.gain(value).entries[i], `${phase} gain ${source} → ${value} [${i}]`),
        );
    }
    claims.forEach(({ claim, upper, proven }) => {
      const verdict = verdictOf(model.claims[claim], () => analysis, true);
      above(upper, verdict.upper, `${phase} claim ${claim}`);
      if (proven && !(verdict.upper <= model.claims[claim].limit * slack))
        found.push(`${phase} claim ${claim} is not proven`);
    });
  }
  return found;
}
