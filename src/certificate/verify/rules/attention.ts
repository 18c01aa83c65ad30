/** Attend: multi-head attention of three values. Proofs: docs/gains.md, section 10. */
import { hypot, product, root, square, type Arith } from "./arith.ts";
import {
  cosinePath,
  distancePath,
  dotPath,
  guardedPath,
  settingOf,
  still,
  tiedFacts,
  tiedOutput,
  tiedPath,
  valuePath,
  type Moved,
  type Reach,
  type ScoreRanges,
  type Setting,
} from "./attention-paths.ts";
import { constantFacts, unknown, type Facts } from "./facts.ts";
import {
  beside,
  channelsOf,
  closed,
  closeValue,
  plus,
  sequence,
  tighter,
  tokensOf,
  type Gain,
  type Shape,
  type Stated,
} from "./gains.ts";
import { closeRange } from "./ranges.ts";
import { classesOf, groupOf, regionCheck, type Region } from "./regions.ts";
import {
  bool,
  coefficient,
  defineRule,
  either,
  equal,
  int,
  nil,
  number,
  record,
  word,
  type Coefficient,
  type Context,
  type Parts,
} from "./rule.ts";

type Score =
  | { readonly kind: "dot"; readonly scale: Coefficient }
  | {
      readonly kind: "cosine";
      readonly tau: Coefficient;
      readonly eps: number;
      readonly guard: "root" | "max";
    }
  /** null: a scale that depends on the whole input, of which nothing is known. */
  | { readonly kind: "distance"; readonly scale: Coefficient | null };
type Values =
  { readonly kind: "raw" } | { readonly kind: "unit"; readonly nu: Coefficient; readonly eps: number };

export type AttendConfig = {
  readonly heads: number;
  readonly score: Score;
  readonly values: Values;
  readonly over: Region;
  readonly position: "none" | "relative" | "rotary";
  readonly causal: boolean;
  readonly local: { readonly kernel: number; readonly bias: boolean } | null;
};

type AttendContext<T> = Context<T, AttendConfig>;

const positive = number((x) => x > 0);
/** One number, or one for each head: the table of shapes is checked against the number of heads below. */
const perHead = coefficient(({ shapes }) => {
  const [q] = shapes;
  return [[], ...Array.from({ length: q.at(-1) ?? 0 }, (_, i) => [i + 1])];
});

const ruleName = ({ score, values }: AttendConfig): string => {
  const guarded = score.kind === "cosine" && score.guard === "max" ? " with guard max" : "";
  return `attention, ${score.kind === "dot" ? "dot product" : score.kind}${guarded}, ${values.kind} values`;
};

/** The stored rotation of a pair of channels has norm ≤ 1 + 2⁻²². */
const rotation = 1 + 2 ** -22;

/** What the rules read of one node. */
interface Read<T> {
  readonly setting: Setting<T>;
  readonly ranges: ScoreRanges<T>;
  /** |tau|, |scale| or β. */
  readonly factor: Facts<T>;
  readonly tiedKeys: boolean;
  readonly tied: boolean;
  readonly turned: T;
}

function read<T>(c: AttendContext<T>): Read<T> {
  const { a, config, node, shapes } = c;
  const { score, heads, position, over, causal } = config;
  const coefficient = score.kind === "cosine" ? score.tau : score.scale;
  const factor = coefficient ? c.coefficient(coefficient) : unknown(a);
  const turned = a.num(position === "rotary" ? rotation : 1);
  const [q, k] = c.ranges;
  const ranges: ScoreRanges<T> = {
    query: a.mul(turned, q.token),
    queryL2: a.mul(turned, q.l2),
    key: a.mul(turned, k.token),
    // Every key is turned by an angle of its own: there is no constant token any more.
    keySpread: position === "rotary" ? a.mul(turned, k.token) : a.min(k.spread, k.token),
  };
  const sameKeys = node.inputs[0] === node.inputs[1];
  const zero = a.num(0);
  const positiveScale = a.surelyLess(zero, factor.low) || a.surelyEqual(zero, factor.low);
  const tiedKeys = score.kind === "distance" && sameKeys && position === "none" && positiveScale;
  const tied = tiedKeys && node.inputs[1] === node.inputs[2] && config.values.kind === "raw";
  const table = position === "relative" ? c.weight("position") : null;
  const offsets = table ? a.max(a.num(0), table.columnSpread ?? a.sub(table.high, table.low)) : a.num(0);
  const spread = a.add(scoreSpread(a, config, factor.maxAbs, ranges, sameKeys), offsets);
  const masked = causal || (over.kind === "windows" && over.shift > 0);
  const classes = classesOf(over, shapes[0], shapes[1]);
  const setting = settingOf(a, heads, tokensOf(shapes[0]), classes, causal, masked, spread);
  return { setting, ranges, factor, tiedKeys, tied, turned };
}

/** How far apart the scores of a row can be. */
function scoreSpread<T>(
  a: Arith<T>,
  { score, position }: AttendConfig,
  factor: T,
  r: ScoreRanges<T>,
  sameKeys: boolean,
): T {
  const two = a.num(2);
  if (score.kind === "cosine") return a.mul(two, factor);
  if (score.kind === "dot") return product(a, two, factor, r.query, r.keySpread);
  const far = sameKeys && position !== "rotary" ? a.mul(two, r.keySpread) : a.add(r.query, r.key);
  return a.mul(factor, square(a, far));
}

function scorePath<T>(c: AttendContext<T>, facts: Read<T>, q: Reach<T>, k: Reach<T>): Moved<T> {
  const { a } = c;
  const { setting, ranges, factor } = facts;
  const { score } = c.config;
  if (setting.keys === 1) return still(setting);
  if (score.kind === "cosine") {
    const path = score.guard === "root" ? cosinePath : guardedPath;
    return path(setting, factor.maxAbs, score.eps, q, k);
  }
  if (score.kind === "dot") return dotPath(setting, factor.maxAbs, ranges, q, k);
  const onRange = distancePath(setting, factor.maxAbs, ranges, q, k);
  if (!facts.tiedKeys) return onRange;
  const free = tiedPath(setting, factor.maxAbs, tiedFacts(setting), k);
  return {
    head: a.min(free.head, onRange.head),
    token: a.min(free.token, onRange.token),
    l2: a.min(free.l2, onRange.l2),
  };
}

/** Both paths together: V + R°_v·S for raw values, |ν|·√(S² + V²/ε) for unit values. */
function paths<T>(c: AttendContext<T>, facts: Read<T>, [q, k, v]: readonly Gain<T>[]): Gain<T> {
  const { a } = c;
  const { values } = c.config;
  const reach = (gain: Gain<T>, p: number, factor: T): Reach<T> => ({
    l2: a.mul(factor, gain[3 * p]),
    token: a.mul(factor, gain[3 * p + 1]),
    linf: a.mul(factor, gain[3 * p + 2]),
  });
  return [0, 1, 2].flatMap((p) => {
    const value = reach(v, p, a.num(1));
    const score = scorePath(c, facts, reach(q, p, facts.turned), reach(k, p, facts.turned));
    const moved = valuePath(facts.setting, value);
    if (values.kind === "raw") {
      const radius = a.min(c.ranges[2].spread, c.ranges[2].token);
      const of = (s: T, direct: T): T => a.add(direct, a.mul(radius, s));
      return [
        of(score.l2, moved.l2),
        of(score.token, moved.token),
        of(score.head, a.min(moved.head, value.linf)),
      ];
    }
    const nu = c.coefficient(values.nu).maxAbs;
    const of = (s: T, direct: T): T => a.mul(nu, hypot(a, s, a.div(direct, a.sqrt(a.num(values.eps)))));
    return [of(score.l2, moved.l2), of(score.token, moved.token), of(score.head, moved.head)];
  });
}

function tiedGain<T>(facts: Read<T>, gain: Gain<T>): Gain<T> {
  const tied = tiedFacts(facts.setting);
  return [0, 1, 2].flatMap((p) => {
    const k = { l2: gain[3 * p], token: gain[3 * p + 1], linf: gain[3 * p + 2] };
    const moved = tiedOutput(facts.setting, tied, k);
    return [moved.l2, moved.token, moved.head];
  });
}

/** "Heads one by one": each head by itself, side by side on channels. */
function headsGain<T>(c: AttendContext<T>, facts: Read<T>, parts: Parts<T>): Gain<T> | null {
  const { a, config, outputs } = c;
  const { heads } = config;
  if (heads === 1) return null;
  const [q, k, v] = [0, 1, 2].map((input) => parts(input, heads));
  if (!q || !k || !v) return null;
  const one = [...outputs[0].slice(0, -1), channelsOf(outputs[0]) / heads];
  const gains = q.map((_, h) => {
    const own = facts.factor.values?.length === heads ? facts.factor.values[h] : null;
    const factor = own === null ? facts.factor : { ...facts.factor, maxAbs: a.abs(own) };
    const alone = { ...facts, factor, setting: { ...facts.setting, heads: 1 } };
    return closeValue(a, paths(c, alone, [q[h], k[h], v[h]]), one);
  });
  return beside(a, gains, "channels");
}

/** LePE: a depthwise convolution of the values inside of each group. */
function localEntries<T>(c: AttendContext<T>): Stated<T> {
  const { a, config } = c;
  const kernel = c.weight("local.weight");
  const size = config.local?.kernel ?? 1;
  const [rows, columns] = groupOf(config.over, c.shapes[2]) ?? [0, 0];
  const taps = Math.min(size, rows) * Math.min(size, columns);
  const norm = a.min(kernel.rowNorm, kernel.spectral);
  const sum = a.min(kernel.rowSum, a.mul(a.num(size), norm));
  const reads = a.mul(root(a, taps), norm);
  return {
    l2: a.min(sum, reads),
    token: a.min(reads, a.mul(a.num(taps), kernel.maxAbs)),
    "l2->token": norm,
    linf: sum,
    "l2->linf": norm,
  };
}

function shapesOf({ config, shapes: [q, k, v] }: { config: AttendConfig; shapes: readonly Shape[] }) {
  const { heads, over, position, causal, local } = config;
  if ([q, k, v].some((shape) => shape.length === 0 || channelsOf(shape) % heads !== 0)) return null;
  const positions = (shape: Shape): Shape => shape.slice(0, -1);
  if (channelsOf(q) !== channelsOf(k) || !equal(positions(k), positions(v))) return null;
  const alone = over.kind === "global" && position === "none" && !causal && local === null;
  if (!alone && !equal(positions(q), positions(k))) return null;
  if (groupOf(over, q) === null) return null;
  if (position === "relative" && q.length === 1) return null;
  const pairs = (channelsOf(q) / heads) % 2 === 0;
  if (position === "rotary" && (q.length !== 2 || over.kind !== "global" || !pairs)) return null;
  const shifted = over.kind === "windows" && over.shift > 0;
  if (local && (local.kernel % 2 === 0 || q.length !== 3 || shifted)) return null;
  return [[...positions(q), channelsOf(v)]];
}

export const attend = defineRule<AttendConfig>({
  name: ruleName,
  inputs: 3,
  config: {
    heads: int(1),
    score: either(
      record({ kind: word("dot"), scale: perHead }),
      record({ kind: word("distance"), scale: either(nil, perHead) }),
      record({ kind: word("cosine"), tau: perHead, eps: positive, guard: word("root", "max") }),
    ),
    values: either(record({ kind: word("raw") }), record({ kind: word("unit"), nu: perHead, eps: positive })),
    over: regionCheck,
    position: word("none", "relative", "rotary"),
    causal: bool,
    local: either(nil, record({ kernel: int(1), bias: bool })),
  },
  shapes: (site) => {
    const { score, values, heads } = site.config;
    const coefficients = [score.kind === "cosine" ? score.tau : score.scale];
    if (values.kind === "unit") coefficients.push(values.nu);
    const fits = coefficients.every(
      (c) => c?.kind !== "learned" || site.weightOf(c).shape.every((n) => n === heads),
    );
    const far = score.kind === "distance" && score.scale?.kind === "constant" && score.scale.value < 0;
    return fits && !far ? shapesOf(site) : null;
  },
  weights: ({ config: { heads, over, position, local }, shapes: [q, , v] }) => {
    const [rows, columns] = groupOf(over, q) ?? [0, 0];
    const width = channelsOf(v);
    return {
      ...(position === "relative" ? { position: [(2 * rows - 1) * (2 * columns - 1), heads] } : {}),
      ...(local ? { "local.weight": [width, 1, local.kernel, local.kernel] } : {}),
      ...(local?.bias ? { "local.bias": [width] } : {}),
    };
  },
  gain: (c, inputs, parts) => {
    const { a } = c;
    const facts = read(c);
    const whole = facts.tied ? tiedGain(facts, inputs[1]) : paths(c, facts, inputs);
    const each = facts.tied || !parts ? null : headsGain(c, facts, parts);
    const attended = each ? tighter(a, whole, each) : whole;
    if (!c.config.local) return [attended];
    return [plus(a, attended, sequence(a, inputs[2], closed(a, localEntries(c), c.shapes[2], c.outputs[0])))];
  },
  range: (c) => {
    const { a, config, outputs } = c;
    const [shape] = outputs;
    const [, , v] = c.ranges;
    const { setting } = read(c);
    const rootH = root(a, config.heads);
    const nu = config.values.kind === "unit" ? c.coefficient(config.values.nu).maxAbs : null;
    const attended = closeRange(
      a,
      nu
        ? { token: a.mul(rootH, nu), linf: nu }
        : {
            l2: a.mul(a.sqrt(setting.columnSum), v.l2),
            token: a.mul(rootH, v.token),
            linf: v.linf,
            low: v.low,
            high: v.high,
            spread: a.mul(rootH, v.spread),
          },
      shape,
    );
    if (!config.local) return [attended];
    const map = closed(a, localEntries(c), c.shapes[2], shape);
    const bias = config.local.bias ? c.weight("local.bias") : constantFacts(a, [0]);
    const [l2, token, linf] = [0, 1, 2].map((q) =>
      a.min(a.mul(v.l2, map[q]), a.mul(v.token, map[3 + q]), a.mul(v.linf, map[6 + q])),
    );
    return [
      closeRange(
        a,
        {
          l2: a.add(attended.l2, a.add(l2, a.mul(root(a, setting.queries), bias.frobenius))),
          token: a.add(attended.token, a.add(token, bias.frobenius)),
          linf: a.add(attended.linf, a.add(linf, bias.maxAbs)),
        },
        shape,
      ),
    ];
  },
});
