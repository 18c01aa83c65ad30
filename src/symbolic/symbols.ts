/** The symbols of a model in one phase, and what rules may read of its weights, in them. */
import type { Facts } from "../certificate/verify/rules/facts.ts";
import type { Config, Json, Node } from "../certificate/verify/rules/rule.ts";
import type { WeightFacts } from "../gain/facts.ts";
import type { Weight } from "../model/model.ts";
import type { Expression, Expressions } from "./expression.ts";

/** Letters of coefficients by the key of a configuration. */
const letters: Readonly<Record<string, string>> = { alpha: "α", tau: "τ", nu: "ν", scale: "s", by: "c" };
/** Plain numbers of configurations that rules read as such. */
const plainLetters: Readonly<Record<string, string>> = { eps: "ε", floor: "ε" };

const near = (x: number, y: number): boolean => x === y || Math.abs(x / y - 1) < 1e-12;

/** Nodes whose numbers are symbols: coefficients have become weights, beyond those of the model. */
export class Symbols {
  private readonly a: Expressions;
  private readonly facts: Facts<Expression>[];

  constructor(a: Expressions, weights: readonly Weight[], facts: (weight: Weight) => WeightFacts) {
    this.a = a;
    this.facts = weights.map((weight) => symbolicFacts(a, weight, facts(weight)));
  }

  readonly factsOf = (weight: number): Facts<Expression> => this.facts[weight];

  nodeOf(node: Node): Node {
    const body = node.body && { ...node.body, nodes: node.body.nodes.map((inner) => this.nodeOf(inner)) };
    return { ...node, config: this.symbolic(node.config, node.path, "") as Config, body };
  }

  private symbolic(x: Json, path: string, key: string): Json {
    if (typeof x === "number") {
      const letter = plainLetters[key];
      if (letter === undefined || !(x > 0) || !Number.isFinite(x)) return x;
      return this.a.tag({ letter, path: `${path}.${key}`, value: x });
    }
    if (typeof x !== "object" || x === null || Array.isArray(x)) return x;
    const { kind, value } = x as { kind?: Json; value?: Json };
    if (kind === "constant" && typeof value === "number") return this.coefficient(value, path, key);
    // Of two in one node the option's name tells them apart: score.eps, values.eps.
    const inner = key === "" || key === "score" || key === "values" ? path : `${path}.${key}`;
    return Object.fromEntries(
      Object.entries(x).map(([name, of]) => [
        name,
        this.symbolic(of, key === "score" || key === "values" ? `${inner}.${key}` : inner, name),
      ]),
    );
  }

  /** A fixed number: as a learned one that is known. A residual's plain 1, and 0, say more than a letter. */
  private coefficient(value: number, path: string, key: string): Json {
    if (value === 0 || (value === 1 && key === "alpha")) return { kind: "constant", value };
    const size = this.a.symbol({
      letter: letters[key] ?? key,
      path: `${path}.${key}`,
      value: Math.abs(value),
    });
    const signed = value < 0 ? this.a.sub(this.a.num(0), size) : size;
    this.facts.push({
      spectral: size,
      frobenius: size,
      rowSum: size,
      rowNorm: size,
      maxAbs: size,
      low: signed,
      high: signed,
      values: [signed],
    });
    return { kind: "learned", weight: this.facts.length - 1, shape: [] };
  }
}

/**
 * Facts in as few symbols as they have: what follows from the norm of a matrix, or from the largest entry of a vector (by
 * an inequality that holds for every matrix), is written in it; what is known by itself is a symbol of its own.
 */
function symbolicFacts(a: Expressions, weight: Weight, facts: WeightFacts): Facts<Expression> {
  const [rows = 1, ...rest] = weight.shape;
  const columns = rest.reduce((n, size) => n * size, 1);
  const matrix = ["matrix", "kernel", "depthwise", "table"].includes(weight.role);
  const { spectral, frobenius, rowSum, rowNorm, maxAbs, low, high, values } = facts;
  const root = (n: number): Expression => a.sqrt(a.num(n));
  const own = (letter: string, value: number): Expression =>
    Number.isFinite(value) && value > 0 ? a.symbol({ letter, path: weight.path, value }) : a.num(value);
  /** The first consequence that says as much as the fact does. */
  const written = (value: number, letter: string, ...ways: readonly Expression[]): Expression =>
    ways.find((way) => near(way.value, value)) ?? own(letter, value);
  const name = weight.path.split(".").at(-1) ?? "";
  if (matrix && Number.isFinite(spectral) && !nearAny(spectral, [frobenius, rowNorm * Math.sqrt(rows)])) {
    const sigma = own("σ", spectral);
    return {
      spectral: sigma,
      frobenius: written(frobenius, "‖·‖F", a.mul(root(Math.min(rows, columns)), sigma)),
      rowSum: written(rowSum, "‖·‖∞", a.mul(root(columns), sigma)),
      rowNorm: written(rowNorm, "‖·‖row", sigma),
      maxAbs: written(maxAbs, "‖·‖max", sigma),
      low: low < 0 ? a.sub(a.num(0), written(-low, "‖·‖max", sigma)) : a.num(low),
      high: written(high, "‖·‖max", sigma),
    };
  }
  const size = own(matrix && near(maxAbs, spectral) ? "σ" : letterOf(weight, name), maxAbs);
  const signed = (x: number): Expression =>
    x < 0 ? a.sub(a.num(0), written(-x, "−min", size)) : x === 0 ? a.num(0) : written(x, "‖·‖max", size);
  const [all, width] = [a.mul(root(rows * columns), size), a.mul(root(columns), size)];
  const frob = written(frobenius, "‖·‖F", all);
  return {
    spectral: written(spectral, "σ", frob, all),
    frobenius: frob,
    rowSum: written(rowSum, "‖·‖∞", a.mul(a.num(columns), size)),
    rowNorm: written(rowNorm, "‖·‖row", width),
    maxAbs: size,
    low: signed(low),
    high: signed(high),
    ...(values && values.length === 1 ? { values: [signed(values[0])] } : {}),
  };
}

function nearAny(x: number, others: readonly number[]): boolean {
  return others.some((y) => near(x, y));
}

/** A vector or scalar by its name: γ of norms, coefficients by their key, ‖b‖∞ of biases. */
function letterOf({ role }: Weight, name: string): string {
  if (role === "bias") return "b";
  return name === "gamma"
    ? "γ"
    : (letters[name] ?? (role === "vector" || role === "scalar" ? name : "‖·‖max"));
}
