/**
 * Checks the measured facts of a certificate against the weights' bytes: their SHA-256, then each stated number by a proof
 * of its own (numeric.ts). The file's float32 numbers are what the certificate is about.
 */
import { sha256 } from "./canonical.ts";
import { normHolds } from "./maps.ts";
import type { Bound, Certificate, FactsDocument, MatrixDocument } from "./document.ts";
import { unproven } from "./evaluate.ts";
import {
  columnSpread,
  frobenius,
  keepsSubnormals,
  maxAbs,
  rowDistance,
  rowNorm,
  rowSum,
  spectralAtMost,
  type Dense,
} from "./numeric.ts";
import { Refusal } from "./refusal.ts";
import { weightsIn } from "./rules/matrix.ts";
import { matrixOf, type Weight } from "./rules/facts.ts";
import { equal, type Node } from "./rules/rule.ts";
import { readTensors, type Tensor } from "./safetensors.ts";

/** `matrices`: those that the steps need, with the norms that are stated of them. */
export function checkBytes(
  certificate: Certificate,
  matrices: readonly MatrixDocument[],
  bytes: Uint8Array,
): void {
  const { hashes, model, proofs } = certificate;
  if (!keepsSubnormals())
    throw new Refusal("weights", "this thread takes subnormal numbers for 0: no norm can be proven");
  if (!hashes.weights) throw new Refusal("hashes.weights", "the certificate is of no weights file");
  const found = sha256(bytes);
  if (found !== hashes.weights.sha256)
    throw new Refusal("hashes.weights", "these are other weights", {
      stated: hashes.weights.sha256,
      derived: found,
    });
  const read = readTensors(bytes);
  const tensors = new Map<string, Tensor>();
  const tensorOf = (path: string): Tensor => {
    const tensor = tensors.get(path) ?? read(path);
    tensors.set(path, tensor);
    return tensor;
  };
  const proof = proofs.find(({ phase }) => phase === "checkpoint");
  const diagonal = diagonalKernels(model.nodes);
  model.weights.forEach((weight, i) => {
    const { shape, data } = tensorOf(weight.path);
    if (!equal(shape, weight.shape)) throw new Refusal(weight.path, "it has another shape in the file");
    // What a constraint guarantees, too, it guarantees of finite numbers.
    if (!data.every(Number.isFinite))
      throw new Refusal(weight.path, "the file holds a number that is not finite");
    const facts = proof?.facts[i];
    if (facts?.known !== "measured") return;
    checkFacts(weight, facts, data);
    if (facts.taps) checkTaps(weight, facts.taps, data, diagonal.has(i));
    facts.maps?.forEach((map, k) => {
      if (!normHolds({ shape, data }, map, diagonal.has(i))) refuse(weight, `maps[${k}]`, map.norm, null);
    });
  });
  const weights = (id: number): Tensor => tensorOf(model.weights[id].path);
  for (const doc of matrices) {
    if (isFact(doc, proof?.facts ?? [])) continue;
    const key = unproven(doc, weights);
    if (key === null) continue;
    const names = [...new Set(weightsIn(doc.matrix))].map((id) => model.weights[id].path);
    throw new Refusal(`${key} of a matrix of ${names.join(", ")}`, "the weights' bytes don't bear it out", {
      rule: "measured",
      stated: String(doc[key]),
    });
  }
}

/** Whether a matrix is a weight whose facts, proven above, say as much. */
function isFact({ matrix, ...stated }: MatrixDocument, facts: readonly FactsDocument[]): boolean {
  if (matrix.kind !== "weight") return false;
  const proven = facts[matrix.weight];
  const follows = (key: "spectral" | "rowSum" | "rowNorm"): boolean =>
    (proven[key] ?? Infinity) <= (stated[key] ?? Infinity);
  return proven.known === "measured" && follows("spectral") && follows("rowSum") && follows("rowNorm");
}

/** Weights whose taps are diagonal matrices wherever they are used: those of depthwise convolutions alone. */
function diagonalKernels(nodes: readonly Node[]): ReadonlySet<number> {
  const [depthwise, other] = [new Set<number>(), new Set<number>()];
  const visit = (node: Node): void => {
    const ids = node.layer === "DepthwiseConv" ? depthwise : other;
    Object.values(node.weights).forEach((id) => ids.add(id));
    node.body?.nodes.forEach(visit);
  };
  nodes.forEach(visit);
  return new Set([...depthwise].filter((id) => !other.has(id)));
}

function checkFacts(weight: Weight, facts: FactsDocument, data: Float32Array): void {
  const m: Dense = { ...matrixOf(weight), entries: data };
  const demand = (key: string, stated: Bound | undefined, proven: () => number): void => {
    if (stated === null || stated === undefined) return;
    const least = proven();
    if (!(least <= stated)) refuse(weight, key, stated, least);
  };
  let [low, high] = [Infinity, -Infinity];
  for (const x of data) {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  demand("high", facts.high, () => high);
  if (facts.low !== null && !(facts.low <= low)) refuse(weight, "low", facts.low, low);
  demand("maxAbs", facts.maxAbs, () => maxAbs(m));
  demand("rowSum", facts.rowSum, () => rowSum(m));
  demand("rowNorm", facts.rowNorm, () => rowNorm(m));
  demand("frobenius", facts.frobenius, () => frobenius(m));
  demand("rowDistance", facts.rowDistance, () => rowDistance(m));
  demand("columnSpread", facts.columnSpread, () => columnSpread(m));
  facts.values?.forEach((x, i) => {
    if (x !== data[i]) refuse(weight, `values[${i}]`, x, data[i]);
  });
  if (facts.spectral !== null && !spectralAtMost(m, facts.spectral))
    refuse(weight, "spectral", facts.spectral, null);
}

/** Matrices (out, in) of a kernel's taps; the norm of a diagonal one is its largest entry. */
function checkTaps(weight: Weight, stated: readonly number[], data: Float32Array, diagonal: boolean): void {
  const [out, depth, ...taps] = weight.shape;
  const count = taps.reduce((n, size) => n * size, 1);
  stated.forEach((bound, tap) => {
    const entries = Float64Array.from({ length: out * depth }, (_, i) => data[i * count + tap]);
    const proven = diagonal
      ? maxAbs({ rows: 1, columns: entries.length, entries }) <= bound
      : spectralAtMost({ rows: out, columns: depth, entries }, bound);
    if (!proven) refuse(weight, `taps[${tap}]`, bound, null);
  });
}

function refuse(weight: Weight, key: string, stated: number, proven: number | null): never {
  throw new Refusal(`${weight.path}: ${key}`, "the weights' bytes don't bear it out", {
    rule: "measured",
    stated: String(stated),
    ...(proven === null ? {} : { derived: String(proven) }),
  });
}
