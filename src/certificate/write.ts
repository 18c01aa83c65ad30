/**
 * Writes a certificate: what the analysis proves of a model, step by step, as a document that the checker (verify/) derives
 * again. Where the checker's rules don't reach a number of the analysis (they are fewer), the certificate states the number
 * that they give: it never claims more than it shows.
 */
import type { Analysis } from "../gain/analyze.ts";
import type { MatrixOracle, Sliding, WeightFacts } from "../gain/facts.ts";
import type { Matrix } from "../gain/matrix.ts";
import { verdictOf } from "../gain/claims.ts";
import type { Model, Node, Phase, Weight } from "../model/model.ts";
import { canonical, sealOf, sha256 } from "./verify/canonical.ts";
import { derive, knownBy, nameOf, type Judge } from "./verify/derive.ts";
import type {
  Bound,
  Certificate,
  FactsDocument,
  HashedFile,
  ModelDocument,
  Proof,
  RangeDocument,
  Step,
} from "./verify/document.ts";
import { bounds, boundsBelow, numberAbove, numberBelow } from "./verify/enclosure.ts";
import { checkGraph } from "./verify/graph.ts";
import type { Matrix as CheckedMatrix } from "./verify/rules/matrix.ts";

/** What a certificate is about, besides the model. */
export interface Subject {
  readonly lipsc: string;
  readonly specs: readonly HashedFile[];
  readonly weights: HashedFile | null;
  readonly writtenOut: boolean;
  readonly set: { readonly [key: string]: string };
}

/** What the model is made of, as far as a proof reads it. */
export function modelDocument(model: Model): ModelDocument {
  return {
    lips: model.lips,
    name: model.name,
    inputs: model.inputs.map(({ name, value, domain }) => ({ name, value, domain })),
    outputs: model.outputs.map(({ name, value }) => ({ name, value })),
    values: model.values.map(({ shape }) => shape),
    nodes: model.nodes.map(nodeDocument),
    weights: model.weights.map(({ path, shape, init, constraint, range }) => ({
      path,
      shape,
      init,
      constraint,
      range,
    })),
    claims: model.claims.map(
      ({ kind, phase, from, to, fromName, toName, normIn, normOut, limit, instance }) => ({
        kind,
        phase,
        from,
        to,
        fromName,
        toName,
        normIn,
        normOut,
        limit,
        instance,
      }),
    ),
  };
}

function nodeDocument({
  layer,
  path,
  inputs,
  outputs,
  config,
  weights,
  body,
}: Node): ModelDocument["nodes"][number] {
  const inner = body && { ...body, nodes: body.nodes.map(nodeDocument) };
  return { layer, path, inputs, outputs, config, weights, body: inner };
}

/** A bound as it is written: what is not proven is null. */
function bound(x: number): Bound {
  return Number.isFinite(x) ? x : null;
}

/** Loosens what the checker's rules don't reach, and measures the matrices that they need. */
function loosening(model: Model, measure: MatrixOracle | null): Judge {
  return {
    bound(stated, derived, { low }) {
      if (low) return boundsBelow(stated ?? -Infinity, derived) ? stated : bound(numberBelow(derived));
      return bounds(stated ?? Infinity, derived) ? stated : bound(numberAbove(derived));
    },
    rule: ({ rule }, rules) => (rules.has(rule) ? rule : [...rules.keys()][0]),
    matrix(_, matrix) {
      const norms = measure?.(measurable(matrix, model)) ?? null;
      // Room for the checker's own roundings.
      const room = (x: number): Bound => bound(x * (1 + 2 ** -26));
      return (
        norms && {
          matrix,
          spectral: room(norms.spectral),
          rowSum: room(norms.rowSum),
          rowNorm: room(norms.rowNorm),
        }
      );
    },
  };
}

/** The same matrix as src/measure takes it. */
function measurable(m: CheckedMatrix, model: Model): Matrix {
  const { rows, columns } = m;
  switch (m.kind) {
    case "weight":
    case "channels":
      return { ...m, weight: model.weights[m.weight] };
    case "diagonal":
      return {
        kind: "diagonal",
        rows,
        columns,
        entries: typeof m.entries === "number" ? model.weights[m.entries] : m.entries,
      };
    case "rows":
      return { ...m, of: measurable(m.of, model) };
    case "product":
      return { ...m, left: measurable(m.left, model), right: measurable(m.right, model) };
    case "sum":
      return { ...m, terms: m.terms.map(({ factor, of }) => ({ factor, of: measurable(of, model) })) };
    default:
      return m;
  }
}

/** Facts of a weight in a phase, as the analysis has them. */
export type FactsOf = (weight: Weight, phase: Phase) => WeightFacts;

/** What is proven in one phase; `matrices` where weights are at hand. */
export interface PhaseOfProof {
  readonly analysis: Analysis;
  readonly facts: FactsOf;
  readonly matrices?: MatrixOracle;
}

/** The certificate of a model in these phases. Throws where the model holds what no rule knows: see `uncertifiable`. */
export function writeCertificate(
  model: Model,
  phases: readonly PhaseOfProof[],
  subject: Subject,
): Certificate {
  // Through JSON and back, so that what is hashed is what a reader reads.
  const document = JSON.parse(JSON.stringify(modelDocument(model))) as ModelDocument;
  const graph = checkGraph(document);
  const proofs = phases.map(({ analysis, facts, matrices = null }, i) => {
    const proof = proofOf(model, document, analysis, facts, graph.own);
    return derive(document, graph, proof, `proofs[${i}]`, loosening(model, matrices));
  });
  const certificate: Omit<Certificate, "seal"> = {
    certificate: 1,
    lipsc: subject.lipsc,
    model: document,
    hashes: { model: sha256(canonical(document)), specs: subject.specs, weights: subject.weights },
    set: subject.set,
    writtenOut: subject.writtenOut,
    proofs,
  };
  return { ...certificate, seal: sealOf(certificate) };
}

function proofOf(
  model: Model,
  document: ModelDocument,
  analysis: Analysis,
  facts: FactsOf,
  own: ReadonlySet<number>,
): Proof {
  const { phase } = analysis;
  const uses = usesOf(document);
  const claims = model.claims.flatMap((claim, i) => (claim.phase === phase ? [{ claim, i }] : []));
  const sources = new Set([
    ...model.inputs.map(({ value }) => value),
    ...claims
      .filter(({ claim }) => claim.kind !== "radius" && own.has(claim.from))
      .map(({ claim }) => claim.from),
  ]);
  return {
    phase,
    facts: model.weights.map((weight, i) => factsDocument(facts(weight, phase), document, i, phase, uses)),
    matrices: [],
    ranges: model.values.map((_, value) => (own.has(value) ? rangeDocument(analysis, value) : null)),
    derivations: [...sources].map((source) => ({ source, steps: stepsOf(document, analysis, source) })),
    claims: claims.map(({ claim, i }) => {
      const { upper } = verdictOf(claim, () => analysis, true);
      return { claim: i, upper: bound(upper), proven: upper <= claim.limit };
    }),
  };
}

/** Weights of which a rule asks more than norms. */
interface Uses {
  /** Linear layers that give one token: a margin may compare their rows. */
  readonly heads: ReadonlySet<number>;
  readonly tables: ReadonlySet<number>;
  readonly kernels: ReadonlySet<number>;
  /** The maps that a kernel with one result for each channel, or an ordinary one, slides over. */
  readonly maps: (weight: number) => readonly SlidOver[];
}

interface SlidOver extends Sliding {
  readonly positions: readonly number[];
}

function usesOf({ nodes, values }: ModelDocument): Uses {
  const of = (layers: readonly string[], name: string, fits: (node: Node) => boolean = () => true) =>
    new Set(
      (nodes as readonly Node[])
        .filter((node) => layers.includes(node.layer) && name in node.weights && fits(node))
        .map((node) => node.weights[name]),
    );
  return {
    heads: of(["Linear"], "weight", ({ outputs: [value] }) => values[value].length === 1),
    tables: of(["Attend"], "position"),
    kernels: of(["Conv", "DepthwiseConv"], "weight"),
    maps: (weight) => {
      const found = new Map<string, SlidOver>();
      for (const { layer, weights, inputs, config } of nodes as readonly Node[]) {
        if (!["Conv", "DepthwiseConv"].includes(layer) || weights.weight !== weight) continue;
        const {
          multiplier = 1,
          kernel,
          stride,
          padding,
          dilation,
        } = config as unknown as Sliding & { kernel: number; multiplier?: number };
        const map = { positions: values[inputs[0]].slice(0, -1), stride, padding, dilation };
        // Windows apart from each other and inside of the map are the kernel's matrix and nothing else.
        const slides = padding > 0 || (kernel - 1) * dilation >= stride;
        if (slides && multiplier === 1) found.set(JSON.stringify(map), map);
      }
      return [...found.values()];
    },
  };
}

/** Entries are listed for vectors of a few numbers: rules look at single ones of coefficients by head. */
const listed = 64;

function factsDocument(
  facts: WeightFacts,
  { weights }: ModelDocument,
  index: number,
  phase: Phase,
  { heads, tables, kernels, maps }: Uses,
): FactsDocument {
  const known = knownBy(weights[index], phase);
  const { spectral, frobenius, rowSum, rowNorm, maxAbs, low, high, stored } = facts;
  const plain: FactsDocument = {
    known,
    spectral: bound(spectral),
    frobenius: bound(frobenius),
    rowSum: bound(rowSum),
    rowNorm: bound(rowNorm),
    maxAbs: bound(maxAbs),
    low: bound(low),
    high: bound(high),
  };
  if (known !== "measured" || !stored) return plain;
  const { shape } = weights[index];
  const columns = shape.slice(1).reduce((n, size) => n * size, 1);
  // The checker counts its own roundings: sums are stated with room for them.
  const room = (x: number, terms: number): Bound => bound(terms > 1 ? x * (1 + 2 ** -40) : x);
  const values = shape.length <= 1 && (shape[0] ?? 1) <= listed ? facts.values : null;
  const taps = kernels.has(index) ? stored.kernel?.taps(1) : undefined;
  const slid = maps(index).flatMap((map) => {
    const norm = stored.kernel?.onMap(map.positions, map, 1) ?? Infinity;
    return norm < Infinity ? [{ ...map, norm: norm * (1 + 2 ** -26) }] : [];
  });
  return {
    ...plain,
    spectral: room(spectral, (shape[0] ?? 1) * columns),
    frobenius: room(frobenius, (shape[0] ?? 1) * columns),
    rowSum: room(rowSum, columns),
    rowNorm: room(rowNorm, columns),
    ...(values ? { values } : {}),
    ...(heads.has(index) ? { rowDistance: room(stored.rowDistance, 2) } : {}),
    ...(tables.has(index) ? { columnSpread: room(stored.columnSpread, 2) } : {}),
    ...(taps?.every(Number.isFinite) ? { taps: taps.map((x) => x * (1 + 2 ** -40)) } : {}),
    ...(slid.length > 0 ? { maps: slid } : {}),
  };
}

function rangeDocument(analysis: Analysis, value: number): RangeDocument {
  const { l2, token, linf, low, high, spread } = analysis.range(value);
  return {
    l2: bound(l2),
    token: bound(token),
    linf: bound(linf),
    low: bound(low),
    high: bound(high),
    spread: bound(spread),
  };
}

/** The source, then every value that depends on it, in the order of the nodes. */
function stepsOf({ nodes }: ModelDocument, analysis: Analysis, source: number): Step[] {
  const gains = analysis.from(source);
  const depends = new Set([source]);
  const gain = (value: number): Bound[] => gains.gain(value).entries.map(bound);
  const steps: Step[] = [{ value: source, rule: "source", premises: [], gain: gain(source) }];
  for (const node of nodes) {
    if (node.outputs.includes(source) || !node.inputs.some((value) => depends.has(value))) continue;
    for (const value of node.outputs) {
      depends.add(value);
      // Premises follow from the rule; one that the checker doesn't have gives way to the layer's own.
      steps.push({
        value,
        rule: gains.rule(value) || nameOf(node),
        premises: node.inputs,
        gain: gain(value),
      });
    }
  }
  return steps;
}
