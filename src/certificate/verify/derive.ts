/**
 * Derives every step of a proof again, in exact arithmetic (enclosure.ts), from the numbers that the proof states for the
 * step's premises. What becomes of a stated bound is up to the judge: the checker refuses one that is tighter than what the
 * rule gives; the writer of certificates loosens it.
 */
import { canonical } from "./canonical.ts";
import { describe } from "./document.ts";
import type {
  Bound,
  Claim,
  FactsDocument,
  MatrixDocument,
  ModelDocument,
  Proof,
  RangeDocument,
  Step,
} from "./document.ts";
import { enclosures as a, type Enclosure } from "./enclosure.ts";
import type { CheckedGraph } from "./graph.ts";
import { Refusal } from "./refusal.ts";
import { claimed } from "./rules/claims.ts";
import { factsOf, type Facts } from "./rules/facts.ts";
import { Forms, type MatrixNorms } from "./rules/forms.ts";
import { closeValue, conversion, sequence, tighter, unproven, zeros, type Gain } from "./rules/gains.ts";
import { weightsIn, type Matrix } from "./rules/matrix.ts";
import { rangeOfDomain, unbounded, type Range } from "./rules/ranges.ts";
import type { Node } from "./rules/rule.ts";
import { Scene } from "./rules/scene.ts";
import { jointOf, type Joint } from "./rules/structure.ts";
import { ruleOf } from "./rules/table.ts";

export interface Judge {
  /** The bound that stands: stated, derived by the rule, in this place; `low` for lower bounds. */
  bound(stated: Bound, derived: Enclosure, place: Place): Bound;
  /** The rule that stands for a step, out of those that can derive it, with their premises. */
  rule(stated: Step, rules: ReadonlyMap<string, readonly number[]>, place: Place): string;
  /** The norms that stand of a matrix of weights; null where nothing is known of it. */
  matrix(stated: MatrixDocument | null, matrix: Matrix): MatrixDocument | null;
}

export interface Place {
  readonly where: string;
  readonly rule: string;
  readonly low?: boolean;
}

/** A stated number; null is no bound. */
const above = (x: Bound): Enclosure => a.num(x ?? Infinity);
const below = (x: Bound): Enclosure => a.num(x ?? -Infinity);

export function statedFacts(doc: FactsDocument): Facts<Enclosure> {
  return {
    spectral: above(doc.spectral),
    frobenius: above(doc.frobenius),
    rowSum: above(doc.rowSum),
    rowNorm: above(doc.rowNorm),
    maxAbs: above(doc.maxAbs),
    low: below(doc.low),
    high: above(doc.high),
    ...(doc.values ? { values: doc.values.map((x) => a.num(x)) } : {}),
    ...(doc.rowDistance === undefined ? {} : { rowDistance: above(doc.rowDistance) }),
    ...(doc.columnSpread === undefined ? {} : { columnSpread: above(doc.columnSpread) }),
    ...(doc.taps ? { taps: doc.taps.map((x) => a.num(x)) } : {}),
    ...(doc.maps ? { maps: doc.maps.map((map) => ({ ...map, norm: a.num(map.norm) })) } : {}),
  };
}

export function statedRange(doc: RangeDocument): Range<Enclosure> {
  return {
    l2: above(doc.l2),
    token: above(doc.token),
    linf: above(doc.linf),
    low: below(doc.low),
    high: above(doc.high),
    spread: above(doc.spread),
  };
}

/** How a fact can be known in a phase. */
export function knownBy(
  { constraint, range }: ModelDocument["weights"][number],
  phase: Proof["phase"],
): FactsDocument["known"] {
  if (constraint.kind !== "none") return "constraint";
  if (phase === "init") return "initialiser";
  if (phase === "checkpoint") return "measured";
  return range ? "range" : "nothing";
}

/** Lists of numbers are one for each entry, and one for each tap: rules read them so. */
function checkCounts(
  { path, shape }: ModelDocument["weights"][number],
  { values, taps, maps }: FactsDocument,
): void {
  const count = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1);
  if (values && values.length !== count(shape))
    throw new Refusal(path, `it has ${count(shape)} entries, stated are ${values.length}`);
  if (taps && (shape.length < 3 || taps.length !== count(shape.slice(2))))
    throw new Refusal(path, `it has ${count(shape.slice(2))} taps, stated are ${taps.length}`);
  if (maps?.some(({ positions }) => positions.length + 2 !== shape.length))
    throw new Refusal(path, `it slides over ${shape.length - 2} axes, a stated map has others`);
}

/** The proof as the judge lets it stand. Throws a Refusal where it has not the form of a proof of this model. */
export function derive(
  model: ModelDocument,
  graph: CheckedGraph,
  proof: Proof,
  where: string,
  judge: Judge,
): Proof {
  return new Derivation(model, graph, proof, where, judge).settled();
}

class Derivation {
  private readonly model: ModelDocument;
  private readonly graph: CheckedGraph;
  private readonly proof: Proof;
  private readonly where: string;
  private readonly judge: Judge;
  private readonly ranges: Range<Enclosure>[];
  private readonly joints = new Map<Node, Joint<Enclosure> | null>();
  private readonly stated: ReadonlyMap<string, MatrixDocument>;
  private readonly matrices = new Map<string, MatrixDocument | null>();

  constructor(model: ModelDocument, graph: CheckedGraph, proof: Proof, where: string, judge: Judge) {
    [this.model, this.graph, this.proof, this.where, this.judge] = [model, graph, proof, where, judge];
    this.ranges = model.values.map((shape) => unbounded(a, shape));
    this.stated = new Map(proof.matrices.map((doc) => [canonical(doc.matrix), doc]));
  }

  private readonly range = (value: number): Range<Enclosure> => this.ranges[value];

  settled(): Proof {
    const { model, proof, where } = this;
    if (proof.facts.length !== model.weights.length)
      throw new Refusal(`${where}.facts`, "there must be one entry for each weight");
    if (proof.ranges.length !== model.values.length)
      throw new Refusal(`${where}.ranges`, "there must be one entry for each value");
    const facts = proof.facts.map((doc, i) => this.settleFacts(doc, i));
    // What a constraint says of a convolution is read from the model, and nowhere stated.
    const known = facts.map((doc, i) => {
      const { operator } = factsOf(a, model.weights[i], proof.phase);
      return operator === undefined ? statedFacts(doc) : { ...statedFacts(doc), operator };
    });
    const scene = new Scene(a, model.values, (weight) => known[weight]);
    const ranges = this.settleRanges(scene);
    const outputs = model.outputs.map(({ value }) => value);
    const forms =
      proof.phase === "checkpoint" ? new Forms(scene, this.graph, outputs, (m) => this.normsOf(m)) : null;
    const gains = new Map<number, (value: number) => Gain<Enclosure>>();
    const derivations = proof.derivations.map(({ source, steps }, i) => {
      const at = `${where}.derivations[${i}]`;
      if (!this.graph.own.has(source) || gains.has(source))
        throw new Refusal(at, "its source is no value of the model's own graph, or was there before");
      const settled = this.settleSteps(scene, forms, source, steps, at);
      gains.set(source, settled.gain);
      return { source, steps: settled.steps };
    });
    const claims = this.settleClaims(scene, gains);
    const matrices = [...this.matrices.values()].filter((doc) => doc !== null);
    return { phase: proof.phase, facts, matrices, ranges, derivations, claims };
  }

  /** Of a matrix of measured weights; one that a constraint makes isn't in the file. */
  private normsOf(matrix: Matrix): MatrixNorms<Enclosure> | null {
    const key = canonical(matrix);
    let doc = this.matrices.get(key);
    if (doc === undefined) {
      const measured = weightsIn(matrix).every((id) => this.model.weights[id].constraint.kind === "none");
      doc = measured ? this.judge.matrix(this.stated.get(key) ?? null, matrix) : null;
      this.matrices.set(key, doc);
    }
    return doc && { spectral: above(doc.spectral), rowSum: above(doc.rowSum), rowNorm: above(doc.rowNorm) };
  }

  private settleFacts(doc: FactsDocument, index: number): FactsDocument {
    const { phase } = this.proof;
    const weight = this.model.weights[index];
    const known = knownBy(weight, phase);
    if (doc.known !== known)
      throw new Refusal(weight.path, `its facts are known by ${known}, stated is ${doc.known}`);
    if (known === "measured") {
      checkCounts(weight, doc);
      return doc;
    }
    const extra = (["values", "rowDistance", "columnSpread", "taps", "maps"] as const).find(
      (key) => doc[key] !== undefined,
    );
    if (extra !== undefined) throw new Refusal(weight.path, `${extra} can only be measured`);
    const derived = factsOf(a, weight, phase);
    const of = (
      key: keyof typeof derived &
        ("spectral" | "frobenius" | "rowSum" | "rowNorm" | "maxAbs" | "low" | "high"),
    ): Bound =>
      this.judge.bound(doc[key], derived[key], {
        where: `${weight.path}: ${key}`,
        rule: known,
        low: key === "low",
      });
    return {
      known,
      spectral: of("spectral"),
      frobenius: of("frobenius"),
      rowSum: of("rowSum"),
      rowNorm: of("rowNorm"),
      maxAbs: of("maxAbs"),
      low: of("low"),
      high: of("high"),
    };
  }

  private settleRanges(scene: Scene<Enclosure>): (RangeDocument | null)[] {
    const { model, proof, graph } = this;
    const settled: (RangeDocument | null)[] = proof.ranges.map((doc, i) => {
      if ((doc !== null) !== graph.own.has(i))
        throw new Refusal(
          `${this.where}.ranges[${i}]`,
          "ranges are stated of the model's own values, no others",
        );
      return null;
    });
    const settle = (value: number, derived: Range<Enclosure>, rule: string): void => {
      const doc = proof.ranges[value];
      if (!doc) return;
      const of = (key: keyof RangeDocument): Bound =>
        this.judge.bound(doc[key], derived[key], {
          where: `${this.where}.ranges[${value}].${key}`,
          rule,
          low: key === "low",
        });
      const stands = {
        l2: of("l2"),
        token: of("token"),
        linf: of("linf"),
        low: of("low"),
        high: of("high"),
        spread: of("spread"),
      };
      settled[value] = stands;
      this.ranges[value] = statedRange(stands);
    };
    for (const { name, value, domain } of model.inputs)
      settle(value, rangeOfDomain(a, domain, model.values[value]), `domain of ${name}`);
    for (const node of model.nodes)
      scene
        .ranges(node, this.range)
        .forEach((derived, i) => settle(node.outputs[i], derived, `range of ${node.path}`));
    return settled;
  }

  /** The steps of one source, in the order of the nodes. */
  private settleSteps(
    scene: Scene<Enclosure>,
    forms: Forms<Enclosure> | null,
    source: number,
    steps: readonly Step[],
    where: string,
  ): { steps: Step[]; gain: (value: number) => Gain<Enclosure> } {
    const { model } = this;
    const known = new Map<number, Gain<Enclosure>>();
    const nothing = zeros(a);
    const at = (value: number): Gain<Enclosure> => known.get(value) ?? nothing;
    const settled: Step[] = [];
    const take = (
      value: number,
      derived: Gain<Enclosure>,
      rules: ReadonlyMap<string, readonly number[]>,
      path: string,
    ): void => {
      const place = `${where}.steps[${settled.length}]`;
      const step = steps[settled.length];
      if (step?.value !== value)
        throw new Refusal(place, `the step of value ${value} (${path}) must come here`);
      const rule = this.judge.rule(step, rules, { where: `${place} (${path})`, rule: step.rule });
      const premises = rules.get(rule) ?? [];
      const gain = step.gain.map((bound, i) =>
        this.judge.bound(bound, derived[i], { where: `${place}.gain[${i}] (${path})`, rule }),
      );
      settled.push({ value, rule, premises, gain });
      known.set(value, gain.map(above));
    };
    const ids = model.inputs.find((input) => input.value === source && input.domain.kind === "tokens");
    const identity = ids ? unproven(a) : conversion(a, model.values[source]);
    take(source, identity, new Map([["source", []]]), "the source");
    for (const node of model.nodes) {
      if (node.outputs.includes(source) || !node.inputs.some((value) => known.has(value))) continue;
      const derived = scene.gains(
        node,
        node.inputs.map(at),
        this.range,
        forms ? (input, count) => forms.parts(node.inputs[input], count, source, at) : undefined,
      );
      const shared = this.joint(scene, node);
      const usable = shared && !shared.inside.has(source) && known.has(shared.root) ? shared : null;
      node.outputs.forEach((value, i) => {
        const rules = new Map([[nameOf(node), node.inputs]]);
        if (usable && !rules.has(usable.rule)) rules.set(usable.rule, [usable.root]);
        const relative =
          usable && closeValue(a, sequence(a, at(usable.root), usable.map), model.values[value]);
        const form = forms?.gain(value, source, at) ?? null;
        if (form) rules.set(form.rule, form.premises);
        const all = [derived[i], relative, form?.gain].filter((gain) => gain !== null && gain !== undefined);
        take(
          value,
          all.reduce((x, y) => tighter(a, x, y)),
          rules,
          node.path,
        );
      });
    }
    if (settled.length < steps.length)
      throw new Refusal(`${where}.steps[${settled.length}]`, "nothing calls for this step");
    return { steps: settled, gain: at };
  }

  private joint(scene: Scene<Enclosure>, node: Node): Joint<Enclosure> | null {
    let found = this.joints.get(node);
    if (found === undefined) this.joints.set(node, (found = jointOf(scene, this.graph, node, this.range)));
    return found;
  }

  private settleClaims(
    scene: Scene<Enclosure>,
    gains: ReadonlyMap<number, (value: number) => Gain<Enclosure>>,
  ): Proof["claims"] {
    const { model, proof, where, graph, range } = this;
    const wanted = model.claims.flatMap((claim, i) => (claim.phase === proof.phase ? [i] : []));
    if (canonical(wanted) !== canonical(proof.claims.map(({ claim }) => claim)))
      throw new Refusal(
        `${where}.claims`,
        `the claims of this phase are ${wanted.join(", ") || "none"}, in this order`,
      );
    return proof.claims.map(({ claim: index, upper }, i) => {
      const claim: Claim = model.claims[index];
      const place = `${where}.claims[${i}]: ${describe(claim)}`;
      if (claim.to >= model.values.length || claim.from >= model.values.length)
        throw new Refusal(place, "it is about a value that there isn't");
      this.checkNames(claim, place);
      const derived = claimed(scene, graph, claim, { range, gains });
      const stands = this.judge.bound(upper, derived, { where: place, rule: claim.kind });
      return { claim: index, upper: stands, proven: stands !== null && stands <= claim.limit };
    });
  }

  /** The name of an input or output can't stand for another value. */
  private checkNames({ from, to, fromName, toName, instance }: Claim, place: string): void {
    if (instance !== "") return;
    const named = [...this.model.inputs, ...this.model.outputs];
    for (const [name, value] of [
      [fromName, from],
      [toName, to],
    ] as const) {
      const known = named.filter((one) => one.name === name);
      if (known.length > 0 && known.every((one) => one.value !== value))
        throw new Refusal(place, `${name} is not value ${value}`);
    }
  }
}

/** The rule of a node by its name in docs/gains.md. */
export function nameOf({ layer, config }: Node): string {
  const name = ruleOf(layer)?.name ?? "no rule";
  return typeof name === "string" ? name : name(config);
}
