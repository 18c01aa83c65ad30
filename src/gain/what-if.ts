/**
 * What a bound would be if some of its symbols had other values: the whole analysis, run again with the numbers of the
 * spec, or the facts of weights, times a factor. Each result is a proven bound of that other model.
 */
import type { Json, Model, Node, Weight, WeightId } from "../model/model.ts";
import { Analysis, type AnalysisOptions } from "./analyze.ts";
import type { MatrixNorms, MatrixOracle, WeightFacts, WeightOracle } from "./facts.ts";
import { sumOf, type Matrix } from "./matrix.ts";
import type { Symbol } from "./symbols.ts";
import { mulUp } from "./up.ts";
import { weightFacts } from "./weights.ts";

/** Runs the same analysis again and again, each time with other values of some symbols. */
export class WhatIf {
  private readonly analysis: Analysis;
  private readonly options: AnalysisOptions;
  /** Norms are asked for again and again, and dear at a checkpoint. */
  private readonly facts = new Map<Weight, WeightFacts>();
  private readonly norms = new Map<string, MatrixNorms | null>();

  constructor(analysis: Analysis, options: AnalysisOptions = {}) {
    this.analysis = analysis;
    this.options = options;
  }

  /** The analysis with these symbols times `factor` > 0. */
  times(symbols: readonly Symbol[], factor: number): Analysis {
    const { model, phase } = this.analysis;
    const { oracle = weightFacts, matrices } = this.options;
    const weights = new Set<WeightId>();
    const configs = new Map<Node, (readonly string[])[]>();
    for (const { place } of symbols) {
      if (place.kind === "weight") weights.add(place.weight);
      else configs.set(place.node, [...(configs.get(place.node) ?? []), place.keys]);
    }
    const scaled = new Set([...weights].map((id) => model.weights[id]));
    const known: WeightOracle = (weight, at) => {
      const facts = this.facts.get(weight) ?? oracle(weight, at);
      this.facts.set(weight, facts);
      return scaled.has(weight) ? scaledFacts(facts, factor) : facts;
    };
    return new Analysis(configs.size === 0 ? model : changed(model, configs, factor), phase, {
      ...this.options,
      oracle: known,
      ...(matrices ? { matrices: scaledMatrices(this.remembered(matrices), scaled, factor) } : {}),
    });
  }

  private remembered(matrices: MatrixOracle): MatrixOracle {
    return (matrix) => {
      const key = keyOf(matrix);
      let norms = this.norms.get(key);
      if (norms === undefined) this.norms.set(key, (norms = matrices(matrix)));
      return norms;
    };
  }
}

/** The same text for matrices that are written alike. */
function keyOf(matrix: Matrix): string {
  return JSON.stringify(matrix, (key, value: unknown) =>
    key === "weight" || (key === "entries" && !Array.isArray(value)) ? (value as Weight).path : value,
  );
}

function changed(model: Model, configs: ReadonlyMap<Node, (readonly string[])[]>, factor: number): Model {
  const nodeOf = (node: Node): Node => {
    const keys = configs.get(node);
    const body = node.body && { ...node.body, nodes: node.body.nodes.map(nodeOf) };
    if (!keys && !node.body) return node;
    const config = (keys ?? []).reduce<Json>((at, path) => at && scaledAt(at, path, factor), node.config);
    return { ...node, config: config as Node["config"], body };
  };
  return { ...model, nodes: model.nodes.map(nodeOf) };
}

function scaledAt(at: Json, [key, ...rest]: readonly string[], factor: number): Json {
  if (key === undefined) {
    if (Array.isArray(at)) return at.map((x) => (typeof x === "number" ? x * factor : x));
    return typeof at === "number" ? at * factor : at;
  }
  const inside = at as { readonly [key: string]: Json };
  return { ...inside, [key]: scaledAt(inside[key], rest, factor) };
}

/** Facts of t·W from facts of W, t > 0. */
function scaledFacts(facts: WeightFacts, t: number): WeightFacts {
  const { stored } = facts;
  const kernel = stored?.kernel;
  return {
    ...facts,
    spectral: mulUp(facts.spectral, t),
    frobenius: mulUp(facts.frobenius, t),
    rowSum: mulUp(facts.rowSum, t),
    rowNorm: mulUp(facts.rowNorm, t),
    maxAbs: mulUp(facts.maxAbs, t),
    low: facts.low * t,
    high: facts.high * t,
    values: facts.values && facts.values.map((x) => x * t),
    ...(stored
      ? {
          stored: {
            ...stored,
            rowDistance: mulUp(stored.rowDistance, t),
            columnSpread: mulUp(stored.columnSpread, t),
            ...(kernel
              ? {
                  kernel: {
                    taps: (together) => kernel.taps(together).map((x) => mulUp(x, t)),
                    circular: (...args) => mulUp(kernel.circular(...args), t),
                    onMap: (...args) => mulUp(kernel.onMap(...args), t),
                  },
                }
              : {}),
          },
        }
      : {}),
  };
}

/** Norms of a matrix in which each of these weights stands times t. */
function scaledMatrices(matrices: MatrixOracle, scaled: ReadonlySet<Weight>, t: number): MatrixOracle {
  if (scaled.size === 0) return matrices;
  return (matrix) => {
    const power = powerOf(matrix, scaled);
    if (power === null) return matrices(substituted(matrix, scaled, t));
    const norms = matrices(matrix);
    return norms && power > 0 ? timesNorms(norms, t ** power) : norms;
  };
}

function timesNorms(norms: MatrixNorms, t: number): MatrixNorms {
  const by = (x: number): number => mulUp(x, t);
  return { ...norms, spectral: by(norms.spectral), rowSum: by(norms.rowSum), rowNorm: by(norms.rowNorm) };
}

/** How often scaled weights are factors of a matrix; null where they are in one summand and not in another. */
function powerOf(m: Matrix, scaled: ReadonlySet<Weight>): number | null {
  switch (m.kind) {
    case "weight":
      return scaled.has(m.weight) ? 1 : 0;
    case "rows":
      return powerOf(m.of, scaled);
    case "product": {
      const [left, right] = [powerOf(m.left, scaled), powerOf(m.right, scaled)];
      return left === null || right === null ? null : left + right;
    }
    case "sum": {
      const [first, ...rest] = m.terms.map(({ of }) => powerOf(of, scaled));
      return rest.every((power) => power === first) ? first : null;
    }
    default:
      return weightIn(m, scaled) ? 1 : 0;
  }
}

/** Whether a diagonal matrix is made of a scaled weight. */
function weightIn(m: Matrix, scaled: ReadonlySet<Weight>): boolean {
  if (m.kind === "channels") return scaled.has(m.weight);
  return "entries" in m && !Array.isArray(m.entries) && scaled.has(m.entries as Weight);
}

function substituted(m: Matrix, scaled: ReadonlySet<Weight>, t: number): Matrix {
  const inside = (of: Matrix): Matrix => substituted(of, scaled, t);
  switch (m.kind) {
    case "rows":
      return { ...m, of: inside(m.of) };
    case "product":
      return { ...m, left: inside(m.left), right: inside(m.right) };
    case "sum":
      return { ...m, terms: m.terms.map(({ factor, of }) => ({ factor, of: inside(of) })) };
    default: {
      const has = m.kind === "weight" ? scaled.has(m.weight) : weightIn(m, scaled);
      return has ? sumOf([{ factor: t, of: m }]) : m;
    }
  }
}
