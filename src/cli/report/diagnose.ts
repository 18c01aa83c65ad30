/** From what is proven to diagnostics: refused claims are errors; a model without claims and without a bound is warned of. */
import type { Diagnostics } from "../../diagnostics/diagnostic.ts";
import type { Verdict } from "../../gain/claims.ts";
import { byFactor, spineOf, type Cause } from "../../gain/causes.ts";
import { overflowed, type Reason, isNothing } from "../../gain/gain.ts";
import { fixesOf, linksOf } from "../../gain/reasons.ts";
import type { Model, Node, Norm, Phase, ValueId } from "../../model/model.ts";
import type { Span } from "../../text/source.ts";
import { lineOf, lineText, placeIn, placesOf, spansOf, type ModelReport, type Sources } from "./collect.ts";
import { tellUnsolved } from "./solved.ts";
import { showBound, showFactor, showLimit, showShape } from "./numbers.ts";

/** A chain names at most so many links. */
const longest = 6;

export function diagnose(report: ModelReport, sources: Sources, diagnostics: Diagnostics): void {
  const { model, verdicts } = report;
  if (report.solved && report.solved.kind !== "found") {
    tellUnsolved(report.solved, model, sources, diagnostics);
    return;
  }
  const spans = spansOf(model);
  // A clause in a block is checked at every instance and told once, by its worst one.
  const byClause = new Map<string, Verdict[]>();
  for (const verdict of verdicts) {
    const key = `${verdict.claim.span.file}:${verdict.claim.span.start}`;
    byClause.set(key, [...(byClause.get(key) ?? []), verdict]);
  }
  for (const group of byClause.values()) {
    const failed = group
      .filter((v) => v.status !== "proven")
      .sort((a, b) => (a.upper === b.upper ? 0 : a.upper > b.upper ? -1 : 1));
    if (failed.length > 0) tellVerdict(failed[0], report, sources, spans, diagnostics);
    else tellNothing(group[0], report, diagnostics);
  }
  const refused = verdicts.some((v) => v.status === "refused");
  const when = report.phase === "checkpoint" ? "not even for these weights" : "not even at init";
  for (const matrix of report.matrices) {
    if (refused || matrix.phase !== report.phase || matrix.why === null) continue;
    const input = model.inputs.find((i) => i.value === matrix.source);
    if (input?.domain.kind === "tokens") continue;
    const chain = chainOf(matrix.why, matrix.source, matrix.target, report, sources, spans);
    diagnostics.report(
      "no-bound",
      model.span,
      { from: matrix.from, to: matrix.to, when, chain },
      { help: helpOf(matrix.why) },
    );
  }
  // A refused claim has told all that already.
  if (refused) return;
  tellEpsilons(report, diagnostics);
  tellCautions(report, sources, spans, diagnostics);
}

type Spans = ReadonlyMap<string, Span>;

/** A claim that is proven because nothing flows from its one end to the other: most likely a swapped arrow. */
function tellNothing({ claim }: Verdict, report: ModelReport, diagnostics: Diagnostics): void {
  if (claim.kind === "radius" || !isNothing(report.analysisOf(claim.phase).gainFrom(claim.from, claim.to)))
    return;
  diagnostics.report("claim-of-nothing", claim.span, { from: claim.fromName, to: claim.toName });
}

function tellVerdict(
  verdict: Verdict,
  report: ModelReport,
  sources: Sources,
  spans: Spans,
  diagnostics: Diagnostics,
): void {
  const { claim, upper, why, exceeded } = verdict;
  const { model } = report;
  const limit = showLimit(claim.limit);
  if (verdict.status === "open") {
    diagnostics.report("claim-open", claim.span, { claim: claim.text });
    return;
  }
  const input = model.inputs.find((i) => i.value === claim.from);
  if (claim.kind !== "radius" && input?.domain.kind === "tokens") {
    diagnostics.report("no-norm-on-tokens", claim.span, { name: claim.fromName });
    return;
  }
  if (exceeded) {
    const cautions = claim.kind === "radius" ? [] : cautionsOf(report, claim.phase);
    const [caution] = cautions.filter(({ why }) => {
      const fixes = fixesOf(why);
      return fixes.some((fix) => fix.startsWith("values:")) && !fixes.some(isDotFix);
    });
    if (caution) {
      const chain = chainOf(caution.why, claim.from, claim.to, report, sources, spans);
      const names = { from: claim.fromName, to: claim.toName, limit, upper: showBound(upper), chain };
      diagnostics.report("values-not-bounded", claim.span, names, { help: helpOf(caution.why) });
      return;
    }
    const causes = claim.kind === "radius" ? [] : largestCauses(verdict, report, sources);
    const names = { what: claim.kind, upper: showBound(upper), limit, causes };
    const chain = sentencesOf(cautions, report, sources, spans);
    diagnostics.report("claim-fails", claim.span, { ...names, chain }, helpAgainst(cautions));
    return;
  }
  const target = model.values[claim.to];
  if (claim.kind === "margin" && target.shape.slice(0, -1).some((n) => n !== 1)) {
    diagnostics.report("margin-of-tokens", claim.span, {
      name: claim.toName,
      shape: showShape(target.shape, target.axes),
    });
    return;
  }
  const reason = why ?? { text: "the bound is not a number", path: null, because: [] };
  const free = claim.phase === "always" ? linksOf(reason).filter((link) => link.kind === "free-weight") : [];
  if (free.length > 0) {
    const paths = [...new Set(free.flatMap((link) => link.paths))];
    diagnostics.report("not-constrained", claim.span, { weight: paths[0], count: paths.length });
    return;
  }
  if (claim.kind === "radius") {
    const chain = linksOf(reason)
      .slice(0, longest)
      .map((link) => sentence(link.text, placesOf(link.paths, report.model, spans, sources)));
    diagnostics.report("radius-fails", claim.span, { name: claim.toName, limit, chain });
    return;
  }
  const [first, ...rest] = chainOf(reason, claim.from, claim.to, report, sources, spans);
  const cautions = isOverflow(reason) ? cautionsOf(report, claim.phase) : [];
  const chain = [first, ...sentencesOf(cautions, report, sources, spans), ...rest];
  const names = { from: claim.fromName, to: claim.toName, limit, chain, upper: null };
  const help = helpAgainst(cautions, 2).help ?? helpOf(reason);
  const fixes = fixesOf(reason);
  // Of a score that is itself unbounded the values are the smaller trouble.
  const score = fixes.some(isDotFix);
  if (!score && fixes.some((fix) => fix.startsWith("values:"))) {
    diagnostics.report("values-not-bounded", claim.span, names, { help });
  } else {
    diagnostics.report("not-lipschitz", claim.span, names, { help });
  }
}

/** Reasons in order, then how the unbounded value reaches the target. */
function chainOf(
  why: Reason,
  from: ValueId,
  to: ValueId,
  report: ModelReport,
  sources: Sources,
  spans: Spans,
): string[] {
  const links = linksOf(why);
  const chain = links
    .slice(0, longest)
    .map((link) => sentence(link.text, placesOf(link.paths, report.model, spans, sources)));
  if (links.length > longest) chain.push(`and ${links.length - longest} more`);
  const nodes = new Map(report.model.nodes.map((node) => [node.path, node]));
  const first = links
    .flatMap((link) => link.paths)
    .map((path) => nodes.get(path))
    .find((n) => n);
  const name = (id: ValueId): string =>
    report.model.taps.find((tap) => tap.value === id)?.name ?? "the output";
  const target =
    first && !first.outputs.includes(to)
      ? `it reaches \`${name(to)}\` through ${routeOf(first.outputs[0], to, report)}`
      : null;
  void from;
  return target ? [...chain, target] : chain;
}

/** The layers after a value, on some way to the target: the first ones, and how many more. */
function routeOf(value: ValueId, to: ValueId, report: ModelReport): string {
  const route: string[] = [];
  let at = value;
  for (const node of report.model.nodes) {
    if (at === to) break;
    if (!node.inputs.includes(at)) continue;
    route.push(node.layer);
    at = node.outputs[0];
  }
  const shown = route
    .slice(0, 3)
    .map((layer) => `\`${layer}\``)
    .join(", ");
  return route.length > 3 ? `${shown} and ${route.length - 3} more layers` : shown;
}

function sentence(text: string, places: string): string {
  return places === "" ? text : `${text} (${places})`;
}

/** The fix of a dot product. */
function isDotFix(fix: string): boolean {
  return fix.startsWith("score: cosine(tau");
}

function isOverflow(why: Reason): boolean {
  return linksOf(why).every((link) => link.text === overflowed.text);
}

/** All that makes a finite bound large: each reason once, with its places. */
function sentencesOf(
  cautions: readonly Caution[],
  report: ModelReport,
  sources: Sources,
  spans: Spans,
): string[] {
  return cautions.flatMap(({ why }) =>
    linksOf(why).map((link) => sentence(link.text, placesOf(link.paths, report.model, spans, sources))),
  );
}

/** `against 1 \`CenterNorm\`, against 2 …`: the fixes, by the numbers that the sentences have in their list. */
function helpAgainst(cautions: readonly Caution[], first = 1): { help?: string } {
  const fixes = cautions
    .flatMap(({ why }) => linksOf(why))
    .flatMap(({ fix }, i) => (fix === null ? [] : [`against ${first + i} \`${fix}\``]));
  return fixes.length === 0 ? {} : { help: `${fixes.join(", ")} (each changes the architecture)` };
}

function helpOf(why: Reason): string {
  const fixes = fixesOf(why).slice(0, 4);
  if (isOverflow(why)) {
    return "smaller factors: `CenterNorm` in place of LayerNorm, a smaller tau, a larger eps, a smaller alpha";
  }
  if (fixes.length === 0)
    return "a layer with a proven rule in its place; the table of layers is in docs/gains.md";
  return fixes.map((fix) => `\`${fix}\``).join(", or ");
}

/** The three lines with the largest factors; `inside`: with what dominates in the branches added there. */
export function largestCauses(
  verdict: Verdict,
  report: Pick<ModelReport, "model" | "analysisOf">,
  sources: Sources,
  inside = false,
): string[] {
  const { claim } = verdict;
  const plain = (norm: Norm | "rms"): Norm => (norm === "rms" ? "token" : norm);
  const normOut = claim.kind === "margin" ? "l2" : plain(claim.normOut);
  const { causes } = spineOf(
    report.analysisOf(claim.phase),
    claim.from,
    claim.to,
    plain(claim.normIn),
    normOut,
  );
  return byLine(causes, report.model, sources)
    .filter((row) => row.product > 1)
    .slice(0, 3)
    .map((row) => {
      const around =
        inside && row.inside?.node ? `, around ${row.inside.rule} ×${showFactor(row.inside.factor)}` : "";
      return `×${showFactor(row.product)}  ${row.rule}, ${row.place}${around}`;
    });
}

/** Causes of one place and one rule together: what loops unroll is folded again. */
export interface LineCause {
  readonly rule: string;
  readonly count: number;
  /** Product of the factors. */
  readonly product: number;
  /** The largest of what dominates in the branches. */
  readonly inside: Cause | null;
  /** `line 9, called in line 14, 12 times` */
  readonly place: string;
}

/** Largest product first. */
export function byLine(
  causes: readonly Cause[],
  model: Model,
  sources: Sources,
  home = model.file,
): readonly LineCause[] {
  const rows = new Map<string, Cause[]>();
  for (const cause of causes) {
    const key = `${cause.node ? placeText(cause.node, model, sources, home) : "the input"}|${cause.rule}`;
    const row = rows.get(key);
    if (row) row.push(cause);
    else rows.set(key, [cause]);
  }
  return [...rows]
    .map(([key, group]) => {
      const place = key.slice(0, key.lastIndexOf("|"));
      const [inside] = group.flatMap((cause) => cause.inside).sort(byFactor);
      return {
        rule: group[0].rule,
        count: group.length,
        product: group.reduce((product, cause) => product * cause.factor, 1),
        inside: inside ?? null,
        place: group.length > 1 ? `${place}, ${group.length} times` : place,
      };
    })
    .sort((a, b) => b.product - a.product);
}

/** `line 9`; `line 9, called in 14` for a block's layer; the calling line for a layer of another file. */
export function placeText(node: Node, model: Model, sources: Sources, home: string): string {
  const place = placeIn(node, model);
  const line = lineText(place, home, sources);
  const [call] = node.calls;
  return place === node.span && node.calls.length > 1 && call.file === place.file
    ? `${line}, called in ${lineOf(call, sources)}`
    : line;
}

/** Layers that divide by a length guarded by an ε alone. */
const throughEps = new Set(["LayerNorm", "RMSNorm", "UnitNorm"]);

/** Told once for a model and a size of ε, with the other lines beside. */
function tellEpsilons(report: ModelReport, diagnostics: Diagnostics): void {
  const groups = new Map<string, { layer: string; eps: number; spans: Span[] }>();
  for (const node of report.analysisOf(report.phase).cautions.keys()) {
    const { eps } = node.config;
    if (!throughEps.has(node.layer) || typeof eps !== "number") continue;
    const group = groups.get(`${node.layer} ${eps}`) ?? { layer: node.layer, eps, spans: [] };
    const span = placeIn(node, report.model);
    if (!group.spans.some((s) => s.file === span.file && s.start === span.start)) group.spans.push(span);
    groups.set(`${node.layer} ${eps}`, group);
  }
  for (const { layer, eps, spans } of groups.values()) {
    const [first, ...others] = spans;
    const related = others.map((span) => ({ span, message: "and here" }));
    const names = {
      layer,
      eps: showLimit(Number(eps.toPrecision(6))),
      factor: showFactor(1 / Math.sqrt(eps)),
    };
    diagnostics.report("layernorm-epsilon", first, names, { related });
  }
}

interface Caution {
  readonly why: Reason;
  readonly span: Span;
  /** Told by `layernorm-epsilon`. */
  readonly eps: boolean;
}

/** Why finite bounds are of little use, per kind of trouble: all places together. */
function cautionsOf(report: ModelReport, phase: Phase = report.phase): Caution[] {
  const byText = new Map<string, Caution & { because: Reason[] }>();
  if (phase === "checkpoint") return [];
  for (const [node, caution] of report.analysisOf(phase).cautions) {
    const known = byText.get(caution.text) ?? {
      why: caution,
      because: [],
      span: placeIn(node, report.model),
      eps: throughEps.has(node.layer),
    };
    known.because.push(caution);
    byText.set(caution.text, known);
  }
  // The same words as its parts, so that all of them become one link.
  return [...byText.values()].map(({ why, because, span, eps }) => ({
    why: { ...why, path: null, because },
    span,
    eps,
  }));
}

function tellCautions(report: ModelReport, sources: Sources, spans: Spans, diagnostics: Diagnostics): void {
  for (const caution of cautionsOf(report)) {
    const chain = sentencesOf([caution], report, sources, spans);
    if (!caution.eps)
      diagnostics.report("weak-bound", caution.span, { chain }, { help: helpOf(caution.why) });
  }
}
