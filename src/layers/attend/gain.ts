/**
 * Gain and range of `Attend`: the score path (score-*.ts) and the value path (paths.ts) put together, rule by rule,
 * and the reasons where there is no proof. Notation, and the way from derivatives to gains: paths.ts.
 *
 * **Raw values** on a range, R°_v the largest distance of a value token from one constant token (a head's part is no
 * further away): ‖δo_ih‖ ≤ V_ih + R°_v·S_ih. By Minkowski over heads and queries each path is V + R°_v·S. linf: an
 * entry of the value path is a mean of entries of δv, so Gv[linf] + R°_v·S.head.
 *
 * **Unit values**, v̂ = v/√(‖v‖² + ε) per head, times ν. With m_i = Σ_j P_ij‖v̂_j‖² ≤ 1:
 *   score path: at most |ν|·S_ih·√m_i, because std_P(v̂)² ≤ E_P‖v̂‖²;
 *   value path: ‖δv̂_j‖ ≤ √((1 − ‖v̂_j‖²)/ε)·‖δv_j‖ (score-cosine.ts), so by Cauchy-Schwarz
 *               |ν|Σ_j P_ij‖δv̂_j‖ ≤ |ν|√((1 − m_i)/ε)·V_ih;
 *   together:   √m·S + √(1 − m)·V/√ε ≤ √(S² + V²/ε), so ‖δo_ih‖ ≤ |ν|·√(S_ih² + V_ih²/ε).
 * Squares add over heads and queries: each path is |ν|·√(S² + V²/ε). The ε of the values need not be that of the
 * score. linf: an entry belongs to one head, so the path of one head.
 *
 * For the paper's layer, where both are normed with one ε, that is
 *   token→token  |ν|√H·√(τ²·max(Gq, Gk)² + Gv²)/√ε,
 *   l2→l2        |ν|·√(τ²Gq² + min(c, N/2)·τ²Gk² + c·Gv²)/√ε,
 *   l2→token     |ν|·√(τ²Gq² + ½τ²Gk² + Gv²)/√ε.
 *
 * One visible key: P is constant, S = 0. τ, ν, β and scale enter by absolute value, per head by the largest.
 * N, the tokens of a region, is part of the fact.
 *
 * **Range**: o_ih is a mean of (unit) values, so ‖o_ih‖ ≤ R_v (|ν| for unit values, whose norm is below 1); joined √H
 * times that; in l2 √c·R_v,l2; entries stay between the values' smallest and largest; and o_ih − t_h is a mean of
 * v_jh − t_h, so R° of the output is at most √H·R°_v.
 */
import type { Range, WeightFacts } from "../../gain/facts.ts";
import {
  beside,
  channelsOf,
  closed,
  closeValue,
  gainOf,
  isNothing,
  nothing,
  plus,
  through,
  type Gain,
  type Reason,
} from "../../gain/gain.ts";
import { closeRange } from "../../gain/range.ts";
import { constantFacts, unknown } from "../../gain/weights.ts";
import { addUp, divUp, hypotUp, minBound, mulUp, sqrtDown, sqrtUp, subUp } from "../../gain/up.ts";
import type { GainContext, Parts, Ruled } from "../layer.ts";
import type { AttendConfig } from "./config.ts";
import { localEntries } from "./local.ts";
import { complete, still, valuePath, type Moved, type Reach, type Setting } from "./paths.ts";
import { rotationGain } from "./positions.ts";
import { dotNeedsRange, distanceNeedsRange, sharpDot, valuesNeedBound, wholeInputScale } from "./reasons.ts";
import { partitionOf } from "./regions.ts";
import { cosinePath, guardGain, guardedCosinePath, steepGuard } from "./score-cosine.ts";
import { distancePath, distanceSpread, tiedFacts, tiedOutput, tiedPath } from "./score-distance.ts";
import { dotPath, dotSpread, type ScoreRanges } from "./score-dot.ts";
import { softmaxFacts, visibleTokens, type Visible } from "./softmax.ts";

type Context = GainContext<AttendConfig>;

/** All that the rules read of one node, once per node and phase. */
interface Facts {
  readonly setting: Setting;
  readonly visible: Visible;
  readonly ranges: ScoreRanges;
  /** |tau|, |scale| or β. */
  readonly factor: WeightFacts;
  readonly tiedKeys: boolean;
  /** The keys are the values as well. */
  readonly tied: boolean;
  readonly turned: number;
}

function factsOf(context: Context): Facts {
  const { config, node, shapes, ranges } = context;
  const { score, heads } = config;
  const coefficient = score.kind === "cosine" ? score.tau : score.scale;
  const factor = coefficient ? context.coefficient(coefficient) : unknown(wholeInputScale(node.path));
  const turned = config.position === "rotary" ? rotationGain : 1;
  const [q, k] = ranges;
  const scoreRanges: ScoreRanges = {
    query: mulUp(turned, q.token),
    queryL2: mulUp(turned, q.l2),
    key: mulUp(turned, k.token),
    keySpread: turned === 1 ? minBound(k.spread, k.token) : mulUp(turned, k.token),
  };
  // A table of positions, or a rotation, would break the proof that near keys weigh most; so would a negative scale.
  const sameKeys = node.inputs[0] === node.inputs[1];
  const tiedKeys = score.kind === "distance" && sameKeys && config.position === "none" && factor.low >= 0;
  const tied = tiedKeys && node.inputs[1] === node.inputs[2] && config.values.kind === "raw";
  const table = config.position === "relative" ? context.weight("position") : null;
  // A head's offsets stand in its own column.
  const offsets = table ? (table.stored?.columnSpread ?? subUp(table.high, table.low)) : 0;
  const spread = addUp(scoreSpread(config, factor.maxAbs, scoreRanges, sameKeys), Math.max(0, offsets));
  const visible = visibleTokens(config.over, config.causal, shapes[0], shapes[1]);
  const setting = { heads, softmax: softmaxFacts(visible, spread) };
  return { setting, visible, ranges: scoreRanges, factor, tiedKeys, tied, turned };
}

/** How far apart the scores of one row can be, without position offsets. */
function scoreSpread(config: AttendConfig, factor: number, ranges: ScoreRanges, sameKeys: boolean): number {
  if (config.score.kind === "cosine") return mulUp(2, factor);
  if (config.score.kind === "dot") return dotSpread(factor, ranges);
  return distanceSpread(factor, ranges, sameKeys && config.position !== "rotary");
}

/** Row p of a gain, as a reach. */
function reachOf(gain: Gain, p: number, factor = 1): Reach {
  const [l2, token, linf] = [0, 1, 2].map((q) => mulUp(factor, gain.entries[3 * p + q]));
  return { l2, token, linf };
}

export function attendGain(context: Context, inputs: readonly Gain[], parts?: Parts): readonly Ruled[] {
  if (inputs.every(isNothing)) return [{ gain: nothing, rule: ruleName(context.config) }];
  const facts = factsOf(context);
  const tied = facts.tied && inputs[0] === inputs[1];
  const whole = tied ? tiedGain(facts, inputs[1]) : pathsGain(context, facts, inputs);
  const each = tied || !parts ? null : headsGain(context, facts, parts);
  const main = each ? whole.map((x, i) => minBound(x, each[i])) : whole;
  const attended = gainOf(
    main,
    ...inputs.map((gain) => gain.why),
    main.every(Number.isFinite) ? null : whyNot(context, facts),
  );
  const rule = tied ? "attention, distance, tied" : ruleName(context.config);
  const gain = context.config.local ? plus(attended, localGain(context, inputs[2])) : attended;
  const caution = tied ? null : cautionOf(context, facts);
  return [{ gain, rule, ...(caution ? { caution } : {}) }];
}

function ruleName({ score, values }: AttendConfig): string {
  const guarded = score.kind === "cosine" && score.guard === "max" ? " with guard max" : "";
  return `attention, ${score.kind === "dot" ? "dot product" : score.kind}${guarded}, ${values.kind} values`;
}

function tiedGain(facts: Facts, gain: Gain): number[] {
  const tied = tiedFacts(facts.setting, facts.visible.masked);
  return [0, 1, 2].flatMap((p) => {
    const moved = tiedOutput(tied, reachOf(gain, p), facts.setting);
    return [moved.l2, moved.token, moved.head];
  });
}

function pathsGain(context: Context, facts: Facts, inputs: readonly Gain[]): number[] {
  const { values } = context.config;
  const [q, k, v] = inputs;
  return [0, 1, 2].flatMap((p) => {
    const value = reachOf(v, p);
    const score = scorePath(context, facts, reachOf(q, p, facts.turned), reachOf(k, p, facts.turned));
    const moved = valuePath(value, facts.setting);
    if (values.kind === "raw") {
      const radius = minBound(context.ranges[2].spread, context.ranges[2].token);
      const of = (s: number, direct: number): number => addUp(direct, mulUp(radius, s));
      return [
        of(score.l2, moved.l2),
        of(score.token, moved.token),
        of(score.head, minBound(moved.head, value.linf)),
      ];
    }
    const nu = context.coefficient(values.nu).maxAbs;
    const of = (s: number, direct: number): number =>
      mulUp(nu, hypotUp(s, divUp(direct, sqrtDown(values.eps))));
    return [of(score.l2, moved.l2), of(score.token, moved.token), of(score.head, moved.head)];
  });
}

/**
 * **Heads one by one** (docs/gains.md): each head is attention by itself, of its own channels of q, k and v, and the heads
 * stand beside each other on channels; so the same rules hold for it with one head and with the gains of those channels.
 * l2 and token join in squares, linf by the maximum. Ranges of the whole hold for its parts.
 */
function headsGain(context: Context, facts: Facts, parts: Parts): readonly number[] | null {
  const { heads } = context.config;
  if (heads === 1) return null;
  const groups = [0, 1, 2].map((input) => parts(input, heads));
  const [q, k, v] = groups;
  if (!q || !k || !v) return null;
  const alone = { ...facts, setting: { ...facts.setting, heads: 1 } };
  const shape = context.outputs[0];
  const one = [...shape.slice(0, -1), channelsOf(shape) / heads];
  const gains = q.map((_, h) => {
    const factor = headFactor(facts.factor, h, heads);
    const entries = pathsGain(context, { ...alone, factor }, [q[h], k[h], v[h]]);
    return closeValue(gainOf(entries, q[h].why, k[h].why, v[h].why), one);
  });
  return beside(gains, "channels").entries;
}

/** tau or scale of one head, where each has its own and they are known. */
function headFactor(factor: WeightFacts, head: number, heads: number): WeightFacts {
  const own = factor.values?.length === heads ? factor.values[head] : null;
  return own === null ? factor : constantFacts([own]);
}

/** S: how far the scores of a row are moved, as a standard deviation under the row's weights. */
export function scorePath(context: Context, facts: Facts, q: Reach, k: Reach): Moved {
  const { setting, ranges, factor } = facts;
  const { score } = context.config;
  if (setting.softmax.fixed) return still;
  if (score.kind === "cosine") {
    return score.guard === "root"
      ? cosinePath(factor.maxAbs, score.eps, q, k, setting)
      : guardedCosinePath(factor.maxAbs, guardGain("max", score.eps), q, k, setting);
  }
  if (score.kind === "dot") return dotPath(factor.maxAbs, ranges, q, k, setting);
  const onRange = distancePath(factor.maxAbs, ranges, q, k, setting);
  if (!facts.tiedKeys) return onRange;
  const free = tiedPath(factor.maxAbs, tiedFacts(setting, facts.visible.masked), k, setting);
  return complete(
    {
      head: minBound(free.head, onRange.head),
      token: minBound(free.token, onRange.token),
      l2: minBound(free.l2, onRange.l2),
    },
    setting,
  );
}

function localGain(context: Context, v: Gain): Gain {
  const { config, shapes, outputs } = context;
  const kernel = context.weight("local.weight");
  const stated = localEntries(kernel, config.local?.kernel ?? 1, partitionOf(config.over, shapes[2]));
  return through(v, closed(stated, shapes[2], outputs[0]), kernel.why);
}

/** Why there is no bound though the inputs have one. */
function whyNot(context: Context, facts: Facts): Reason {
  const { config, node, ranges } = context;
  const { score, values } = config;
  if (facts.factor.maxAbs === Infinity && facts.factor.why && !facts.tied) return facts.factor.why;
  if (values.kind === "unit") {
    const nu = context.coefficient(values.nu);
    if (nu.maxAbs === Infinity && nu.why) return nu.why;
  }
  const scoreWhy =
    score.kind === "dot"
      ? dotNeedsRange(node.path, ranges)
      : score.kind === "distance" && !facts.tiedKeys
        ? distanceNeedsRange(node.path, ranges)
        : score.kind === "cosine"
          ? steepGuard(score.guard, score.eps, node.path)
          : null;
  const bounded = values.kind === "unit" || Math.min(ranges[2].spread, ranges[2].token) < Infinity;
  if (!bounded) return valuesNeedBound(node.path, ranges[2], scoreWhy, score.kind === "distance");
  return (
    scoreWhy ?? { text: "the bound of attention exceeds the range of float64", path: node.path, because: [] }
  );
}

/** A score path that multiplies the bound this often is worth a word. */
const sharp = 100;

/** What makes a finite bound useless. */
function cautionOf(context: Context, facts: Facts): Reason | null {
  const { score, values } = context.config;
  const { path } = context.node;
  const [, , v] = context.ranges;
  const flaw = score.kind === "cosine" ? steepGuard(score.guard, score.eps, path) : sharpness(context, facts);
  if (!flaw) return null;
  return values.kind === "raw" ? valuesNeedBound(path, v, flaw, false) : flaw;
}

/** Of a dot product: the gain from the queries to the output, by the ranges of keys and values. */
function sharpness(context: Context, { factor, ranges }: Facts): Reason | null {
  const { score, values } = context.config;
  if (score.kind !== "dot") return null;
  const [, , v] = context.ranges;
  const radius = values.kind === "raw" ? minBound(v.spread, v.token) : context.coefficient(values.nu).maxAbs;
  const slope = mulUp(factor.maxAbs, mulUp(ranges.keySpread, radius));
  return slope >= sharp && slope < Infinity ? sharpDot(context.node.path) : null;
}

export function attendRange(context: Context): readonly Range[] {
  const { config, shapes, outputs } = context;
  const [, , v] = context.ranges;
  const { setting } = factsOf(context);
  const rootH = sqrtUp(config.heads);
  const shape = outputs[0];
  let range: Range;
  if (config.values.kind === "raw") {
    range = closeRange(
      {
        l2: mulUp(sqrtUp(setting.softmax.columnSum), v.l2),
        token: mulUp(rootH, v.token),
        linf: v.linf,
        low: v.low,
        high: v.high,
        spread: mulUp(rootH, v.spread),
      },
      shape,
      v.why,
    );
  } else {
    const nu = context.coefficient(config.values.nu);
    range = closeRange({ token: mulUp(rootH, nu.maxAbs), linf: nu.maxAbs }, shape, nu.why);
  }
  if (!config.local) return [range];
  const kernel = context.weight("local.weight");
  const map = closed(
    localEntries(kernel, config.local.kernel, partitionOf(config.over, shapes[2])),
    shapes[2],
    shape,
  );
  const bias = config.local.bias ? context.weight("local.bias") : null;
  const from = [v.l2, v.token, v.linf];
  const mixed = [0, 1, 2].map((q) =>
    from.reduce((best, r, p) => minBound(best, mulUp(r, map[3 * p + q])), Infinity),
  );
  const tokens = sqrtUp(setting.softmax.queries);
  return [
    closeRange(
      {
        l2: addUp(range.l2, addUp(mixed[0], mulUp(tokens, bias?.frobenius ?? 0))),
        token: addUp(range.token, addUp(mixed[1], bias?.frobenius ?? 0)),
        linf: addUp(range.linf, addUp(mixed[2], bias?.maxAbs ?? 0)),
      },
      shape,
      range.why ?? kernel.why ?? bias?.why ?? null,
    ),
  ];
}
