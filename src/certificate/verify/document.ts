/**
 * The certificate as data, read strictly: a key that is missing or unknown, a number that isn't one, an index out of range
 * is refused. `null` in the place of a bound says "not proven". Described for people in docs/certificate.md.
 */
import { Refusal } from "./refusal.ts";
import type { KernelMap, Init, Constraint, Phase, Weight } from "./rules/facts.ts";
import type { Norm, Shape } from "./rules/gains.ts";
import type { Matrix } from "./rules/matrix.ts";
import type { Domain } from "./rules/ranges.ts";
import type { Body, Config, Json, Node } from "./rules/rule.ts";

export interface Claim {
  readonly kind: "gain" | "margin" | "radius";
  readonly phase: Phase;
  readonly from: number;
  readonly to: number;
  readonly fromName: string;
  readonly toName: string;
  readonly normIn: Norm | "rms";
  readonly normOut: Norm | "rms";
  readonly limit: number;
  readonly instance: string;
}

/** A claim as a spec writes it, from what the checker proves of it. */
export function describe({ kind, fromName, toName, normIn, normOut, limit, instance }: Claim): string {
  const about = kind === "radius" ? `${toName}, ${normOut}` : `${fromName} -> ${toName}, ${normIn}`;
  const out = kind === "gain" && normOut !== normIn ? ` -> ${normOut}` : "";
  return `${kind}(${about}${out}) <= ${limit}${instance === "" ? "" : ` in ${instance}`}`;
}

export interface ModelDocument {
  readonly lips: 1;
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly value: number; readonly domain: Domain }[];
  readonly outputs: readonly { readonly name: string; readonly value: number }[];
  /** Shapes of the values. */
  readonly values: readonly Shape[];
  readonly nodes: readonly Node[];
  readonly weights: readonly Weight[];
  readonly claims: readonly Claim[];
}

export type Bound = number | null;

export interface FactsDocument {
  readonly known: "initialiser" | "constraint" | "range" | "measured" | "nothing";
  readonly spectral: Bound;
  readonly frobenius: Bound;
  readonly rowSum: Bound;
  readonly rowNorm: Bound;
  readonly maxAbs: Bound;
  readonly low: Bound;
  readonly high: Bound;
  readonly values?: readonly number[];
  readonly rowDistance?: Bound;
  readonly columnSpread?: Bound;
  readonly taps?: readonly number[];
  readonly maps?: readonly KernelMap<number>[];
}

export interface RangeDocument {
  readonly l2: Bound;
  readonly token: Bound;
  readonly linf: Bound;
  readonly low: Bound;
  readonly high: Bound;
  readonly spread: Bound;
}

export interface Step {
  readonly value: number;
  readonly rule: string;
  readonly premises: readonly number[];
  /** Row: norm of the source, column: norm of the value; l2, token, linf. */
  readonly gain: readonly Bound[];
}

/** Norms of a matrix made of measured weights. */
export interface MatrixDocument {
  readonly matrix: Matrix;
  readonly spectral: Bound;
  readonly rowSum: Bound;
  readonly rowNorm: Bound;
}

export interface Proof {
  readonly phase: Phase;
  readonly facts: readonly FactsDocument[];
  /** In the order in which the steps need them. */
  readonly matrices: readonly MatrixDocument[];
  /** One for each value; null for values of bodies. */
  readonly ranges: readonly (RangeDocument | null)[];
  readonly derivations: readonly { readonly source: number; readonly steps: readonly Step[] }[];
  readonly claims: readonly { readonly claim: number; readonly upper: Bound; readonly proven: boolean }[];
}

export interface HashedFile {
  readonly path: string;
  readonly sha256: string;
}

export interface Certificate {
  readonly certificate: 1;
  readonly lipsc: string;
  readonly model: ModelDocument;
  readonly hashes: {
    readonly model: string;
    readonly specs: readonly HashedFile[];
    readonly weights: HashedFile | null;
  };
  /** `--set key=value` of the spec. */
  readonly set: { readonly [key: string]: string };
  /** The weights are what the spec's constraints make of trained ones: the model stands without constraints. */
  readonly writtenOut: boolean;
  readonly proofs: readonly Proof[];
  readonly seal: string;
}

type Reader<T> = (x: unknown, where: string) => T;

function fail(where: string, expected: string, x: unknown): never {
  const found = x === undefined ? "nothing" : (JSON.stringify(x) ?? "nothing").slice(0, 60);
  throw new Refusal(where, `expected ${expected}, found ${found}`);
}

const text: Reader<string> = (x, where) => (typeof x === "string" ? x : fail(where, "a text", x));
const finite: Reader<number> = (x, where) =>
  typeof x === "number" && Number.isFinite(x) ? x : fail(where, "a number", x);
const whole: Reader<number> = (x, where) =>
  typeof x === "number" && Number.isSafeInteger(x) && x >= 0 ? x : fail(where, "a whole number", x);
const size: Reader<number> = (x, where) =>
  typeof x === "number" && Number.isSafeInteger(x) && x >= 1 ? x : fail(where, "a whole number above 0", x);
const flag: Reader<boolean> = (x, where) => (typeof x === "boolean" ? x : fail(where, "true or false", x));
const hash: Reader<string> = (x, where) =>
  typeof x === "string" && /^[0-9a-f]{64}$/.test(x) ? x : fail(where, "a SHA-256", x);
const bound: Reader<Bound> = (x, where) => (x === null ? null : finite(x, where));
/** A bound of a norm or a gain. */
const size0: Reader<Bound> = (x, where) => {
  const b = bound(x, where);
  return b === null || b >= 0 ? b : fail(where, "a number of 0 or more", x);
};
const oneOf =
  <T extends string | number>(...words: readonly T[]): Reader<T> =>
  (x, where) =>
    words.includes(x as T) ? (x as T) : fail(where, words.join(" or "), x);
const list =
  <T>(of: Reader<T>): Reader<readonly T[]> =>
  (x, where) =>
    Array.isArray(x) ? x.map((item, i) => of(item, `${where}[${i}]`)) : fail(where, "a list", x);
const orNull =
  <T>(of: Reader<T>): Reader<T | null> =>
  (x, where) =>
    x === null ? null : of(x, where);

type Fields<T> = { readonly [key in keyof T]-?: Reader<T[key]> };

function record<T extends object>(fields: Fields<T>, optional: readonly (keyof T)[] = []): Reader<T> {
  return (x, where) => {
    if (typeof x !== "object" || x === null || Array.isArray(x)) fail(where, "an object", x);
    const object = x as Record<string, unknown>;
    const stray = Object.keys(object).find((key) => !Object.hasOwn(fields, key));
    if (stray !== undefined) throw new Refusal(where, `unknown key \`${stray}\``);
    const read: Record<string, unknown> = {};
    for (const [key, reader] of Object.entries(fields) as [string, Reader<unknown>][]) {
      if (!Object.hasOwn(object, key) && optional.includes(key as keyof T)) continue;
      read[key] = reader(object[key], where === "" ? key : `${where}.${key}`);
    }
    return read as T;
  };
}

/** One of several records, told apart by `kind`. */
function variant<T extends { readonly kind: string }>(kinds: {
  readonly [kind in T["kind"]]: object;
}): Reader<T> {
  return (x, where) => {
    const kind = typeof x === "object" && x !== null ? (x as { kind?: unknown }).kind : undefined;
    if (typeof kind !== "string" || !Object.hasOwn(kinds, kind))
      fail(`${where}.kind`, Object.keys(kinds).join(", "), kind);
    const fields = (kinds as Record<string, object>)[kind as string];
    return record<T>({ kind: text, ...fields } as unknown as Fields<T>)(x, where);
  };
}

const dictionary =
  <T>(of: Reader<T>): Reader<{ readonly [key: string]: T }> =>
  (x, where) => {
    if (typeof x !== "object" || x === null || Array.isArray(x)) fail(where, "an object", x);
    return Object.fromEntries(
      Object.entries(x as object).map(([key, item]) => [key, of(item, `${where}.${key}`)]),
    );
  };

const phases: readonly Phase[] = ["init", "always", "checkpoint"];
const norm = oneOf<Norm>("l2", "token", "linf");
const shape = list(size);
const json: Reader<Json> = (x) => x as Json;

const domain = variant<Domain>({
  box: { low: finite, high: finite },
  ball: { norm, radius: finite },
  tokens: { count: size },
  unbounded: {},
});

const init = variant<Init>({
  spectral: {},
  orthogonal: {},
  xavier: {},
  kaiming: {},
  zeros: {},
  ones: {},
  trunc_normal: { std: finite },
  normal: { std: finite },
  constant: { values: list(finite) },
});

const constraint = variant<Constraint>({
  none: {},
  aol: {},
  orthogonal: {},
  unit_rows: {},
  unit_rms: {},
  spectral: { bound: finite },
  rms: { bound: finite },
  frobenius: { bound: finite },
  l1: { bound: finite },
  operator: { bound: finite },
});

const range: Reader<readonly [number, number]> = (x, where) => {
  const [low, high, ...rest] = list(finite)(x, where);
  return high !== undefined && rest.length === 0 && low <= high ? [low, high] : fail(where, "two ends", x);
};

const weight = record<Weight>({
  path: text,
  shape,
  init,
  constraint,
  range: orNull(range),
});

const body: Reader<Body> = (x, where) =>
  record<Body>({ parameters: list(whole), nodes: list(node), result: whole })(x, where);

const node: Reader<Node> = (x, where) =>
  record<Node>({
    layer: text,
    path: text,
    inputs: list(whole),
    outputs: list(whole),
    config: dictionary(json) as Reader<Config>,
    weights: dictionary(whole),
    body: orNull(body),
  })(x, where);

const claim = record<Claim>({
  kind: oneOf("gain", "margin", "radius"),
  phase: oneOf(...phases),
  from: whole,
  to: whole,
  fromName: text,
  toName: text,
  normIn: oneOf("l2", "token", "linf", "rms"),
  normOut: oneOf("l2", "token", "linf", "rms"),
  limit: finite,
  instance: text,
});

const model = record<ModelDocument>({
  lips: oneOf(1),
  name: text,
  inputs: list(record({ name: text, value: whole, domain })),
  outputs: list(record({ name: text, value: whole })),
  values: list(shape),
  nodes: list(node),
  weights: list(weight),
  claims: list(claim),
});

const facts = record<FactsDocument>(
  {
    known: oneOf("initialiser", "constraint", "range", "measured", "nothing"),
    spectral: size0,
    frobenius: size0,
    rowSum: size0,
    rowNorm: size0,
    maxAbs: size0,
    low: bound,
    high: bound,
    values: list(finite),
    rowDistance: size0,
    columnSpread: size0,
    taps: list(finite),
    maps: list(record({ positions: list(size), stride: size, padding: whole, dilation: size, norm: finite })),
  } as unknown as Fields<FactsDocument>,
  ["values", "rowDistance", "columnSpread", "taps", "maps"],
);

const rangeDocument = record<RangeDocument>({
  l2: size0,
  token: size0,
  linf: size0,
  low: bound,
  high: bound,
  spread: size0,
});

const gain: Reader<readonly Bound[]> = (x, where) => {
  const nine = list(size0)(x, where);
  return nine.length === 9 ? nine : fail(where, "nine bounds", x);
};

const proof = record<Proof>({
  phase: oneOf(...phases),
  facts: list(facts),
  // What a matrix is made of is compared with what the steps need, and read no further.
  matrices: list(
    record<MatrixDocument>({
      matrix: json as unknown as Reader<Matrix>,
      spectral: size0,
      rowSum: size0,
      rowNorm: size0,
    }),
  ),
  ranges: list(orNull(rangeDocument)),
  derivations: list(
    record({
      source: whole,
      steps: list(record<Step>({ value: whole, rule: text, premises: list(whole), gain })),
    }),
  ),
  claims: list(record({ claim: whole, upper: size0, proven: flag })),
});

const file = record<HashedFile>({ path: text, sha256: hash });

const certificate = record<Certificate>({
  certificate: oneOf(1),
  lipsc: text,
  model,
  hashes: record({ model: hash, specs: list(file), weights: orNull(file) }),
  set: dictionary(text),
  writtenOut: flag,
  proofs: list(proof),
  seal: hash,
});

/** Reads a document that JSON.parse gave. Throws a Refusal. */
export function readCertificate(x: unknown): Certificate {
  return certificate(x, "");
}
