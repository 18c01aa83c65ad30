/** Everything `check` knows of one model, as data: the reports print it, and diagnostics follow from it. */
import { Analysis, type AnalysisOptions } from "../../gain/analyze.ts";
import { byFactor, spineOf, type Cause } from "../../gain/causes.ts";
import { verdictOf, type Verdict } from "../../gain/claims.ts";
import { entry, norms, type Reason } from "../../gain/gain.ts";
import { isUnsolved, type Model, type Node, type Norm, type Phase, type ValueId } from "../../model/model.ts";
import type { Outcome } from "../../solve/solve.ts";
import { positionAt, type SourceFile, type Span } from "../../text/source.ts";
import { activationBytes, countMacs, countParameters } from "./figures.ts";

export type Sources = ReadonlyMap<string, SourceFile>;

/** Phases that a spec alone can speak of. */
const ofSpec: readonly Phase[] = ["init", "always"];

/** One input and one output in one phase: the nine bounds, and why where there are none. */
export interface Matrix {
  readonly phase: Phase;
  readonly from: string;
  readonly to: string;
  readonly source: ValueId;
  readonly target: ValueId;
  /** Row: input norm, column: output norm, in the order of `norms`. */
  readonly upper: readonly number[];
  readonly why: Reason | null;
}

export interface ModelReport {
  readonly model: Model;
  /** The phase that the report is about first; its warnings are of this phase. */
  readonly phase: Phase;
  /** Phases shown side by side. */
  readonly phases: readonly Phase[];
  readonly parameters: number;
  readonly macs: number;
  readonly batch: number;
  readonly activations: number;
  readonly matrices: readonly Matrix[];
  readonly verdicts: readonly Verdict[];
  readonly analysisOf: (phase: Phase) => Analysis;
  /** What the analysis of the phase `checkpoint` was given. */
  readonly measured: AnalysisOptions;
  /** Where the spec has a `solve(…)`: what was found for it. */
  readonly solved: Outcome | null;
}

/** What the spec alone proves; of a solved model the claims are checked once more, with the number in its place. */
export function collect(model: Model, solved: Outcome | null = null): ModelReport {
  const analysisOf = analysesOf(model);
  if (isUnsolved(model)) return { ...unsolved(model, analysisOf), solved };
  return {
    ...costsOf(model),
    solved,
    phase: "init",
    phases: ofSpec,
    matrices: ofSpec.flatMap((phase) => matricesOf(analysisOf(phase), phase)),
    verdicts: model.claims.map((claim) => verdictOf(claim, analysisOf)),
    analysisOf,
    measured: {},
  };
}

/** What is proven of given weights, beside the weights that training starts from where anything is proven of those. */
export function collectCheckpoint(model: Model, measured: AnalysisOptions): ModelReport {
  const analysisOf = analysesOf(model, measured);
  const matrices = (["checkpoint", "init"] as const).flatMap((phase) => matricesOf(analysisOf(phase), phase));
  const begins = matrices.some(({ phase, upper }) => phase === "init" && upper.some(Number.isFinite));
  return {
    ...costsOf(model),
    solved: null,
    phase: "checkpoint",
    phases: begins ? ["checkpoint", "init"] : ["checkpoint"],
    matrices,
    verdicts: model.claims
      .filter((claim) => claim.phase === "checkpoint")
      .map((claim) => verdictOf(claim, analysisOf, true)),
    analysisOf,
    measured,
  };
}

function analysesOf(model: Model, measured: AnalysisOptions = {}): (phase: Phase) => Analysis {
  const analyses = new Map<Phase, Analysis>();
  return (phase) => {
    let analysis = analyses.get(phase);
    if (!analysis) {
      analysis = new Analysis(model, phase, phase === "checkpoint" ? measured : {});
      analyses.set(phase, analysis);
    }
    return analysis;
  };
}

/** A model with an unknown number holds a stand-in for it: nothing is proven of it. */
function unsolved(model: Model, analysisOf: (phase: Phase) => Analysis): Omit<ModelReport, "solved"> {
  const why: Reason = {
    text: "the model holds a number that `solve` has not found",
    path: null,
    because: [],
  };
  const upper = new Array<number>(9).fill(Infinity);
  const matrices = ofSpec.flatMap((phase) =>
    matricesOf(analysisOf(phase), phase).map((matrix) => ({ ...matrix, upper, why })),
  );
  const verdicts = model.claims.map((claim): Verdict => ({
    claim,
    status: "open",
    upper: Infinity,
    why,
    exceeded: false,
  }));
  return { ...costsOf(model), phase: "init", phases: ofSpec, matrices, verdicts, analysisOf, measured: {} };
}

function costsOf(model: Model): Pick<ModelReport, "model" | "parameters" | "macs" | "batch" | "activations"> {
  const batch = model.train?.batch ?? 1;
  const activations = activationBytes(model, batch);
  return { model, parameters: countParameters(model), macs: countMacs(model), batch, activations };
}

function matricesOf(analysis: Analysis, phase: Matrix["phase"]): Matrix[] {
  const { inputs, outputs } = analysis.model;
  return inputs.flatMap((input) => {
    const gains = analysis.from(input.value);
    return outputs.map((output) => {
      const gain = gains.gain(output.value);
      const upper = norms.flatMap((p) => norms.map((q) => entry(gain, p, q)));
      return {
        phase,
        from: input.name,
        to: output.name,
        source: input.value,
        target: output.value,
        upper,
        why: gain.why,
      };
    });
  });
}

/** The causes of one bound, largest first; factors of exactly 1 are left out, so the product stays the bound. */
export function causesOf(analysis: Analysis, matrix: Matrix, normIn: Norm, normOut: Norm): readonly Cause[] {
  return spineOf(analysis, matrix.source, matrix.target, normIn, normOut)
    .causes.filter((cause) => cause.factor !== 1)
    .sort(byFactor);
}

/** 1-based line of a place, and its file; 0 where the file is not at hand. */
export function lineOf(span: Span, sources: Sources): number {
  const source = sources.get(span.file);
  return source ? positionAt(source, span.start).line : 0;
}

/**
 * The place of a node that its reader knows best: in the model's own file where it is written there, or the call that led
 * out of it; else the first place outside of the standard library.
 */
export function placeIn(node: Node, model: Model): Span {
  const places = [node.span, ...node.calls];
  const own = places.find((span) => span.file === model.file);
  return own ?? places.find((span) => !span.file.startsWith("std/")) ?? node.span;
}

/** The file in which the model's layers are written: another one than its own for a variant of an imported model. */
export function homeOf(model: Model): string {
  return model.nodes.length > 0 ? placeIn(model.nodes[0], model).file : model.file;
}

/** `lines of lipsformer-swin.lips`, below a title, where tables leave the name of that file out. */
export function homeNote(model: Model): string[] {
  const home = homeOf(model);
  return home === model.file ? [] : [`  lines of ${home}`];
}

/** `line 9`, or `lipsformer-swin.lips line 9` for another file than `home`. */
export function lineText(span: Span, home: string, sources: Sources): string {
  const line = `line ${lineOf(span, sources)}`;
  return span.file === home ? line : `${span.file.split("/").at(-1)} ${line}`;
}

/** Spans of nodes and weights by path: reasons name paths. */
export function spansOf(model: Model): ReadonlyMap<string, Span> {
  const spans = new Map<string, Span>();
  for (const weight of model.weights) spans.set(weight.path, weight.span);
  const visit = (nodes: Model["nodes"]): void => {
    for (const node of nodes) {
      const place = placeIn(node, model);
      spans.set(node.path, place);
      for (const weight of Object.values(node.weights)) spans.set(model.weights[weight].path, place);
      if (node.body) visit(node.body.nodes);
    }
  };
  visit(model.nodes);
  return spans;
}

/** `line 16`, `line 16, 12 times`, `line 16, 12 times; line 20`. */
export function placesOf(
  paths: readonly string[],
  model: Model,
  spans: ReadonlyMap<string, Span>,
  sources: Sources,
): string {
  const lines = new Map<string, number>();
  for (const path of paths) {
    const span = spans.get(path);
    if (!span) continue;
    const at = lineText(span, model.file, sources);
    lines.set(at, (lines.get(at) ?? 0) + 1);
  }
  const shown = [...lines]
    .slice(0, 3)
    .map(([place, count]) => (count > 1 ? `${place}, ${count} times` : place));
  if (lines.size > 3) shown.push(lines.size === 4 ? "1 more line" : `${lines.size - 3} more lines`);
  return shown.join("; ");
}
