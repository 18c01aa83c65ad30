/**
 * Token-wise affine forms: a value whose tokens are v_t = Σ_j M_j·u_jt + c, the M_j products and sums of neighbouring
 * layers' matrices. With proven norms of the M_j (the phase `checkpoint`) two rules follow (docs/gains.md):
 *
 * **Adjacent linear maps**: G(v) ≤ Σ_j ‖M_j‖·G(u_j).
 *   Proof: δv_t = Σ_j M_j·δu_jt, so each summand is Linear's rule with M_j; the triangle inequality.
 *
 * **Centre slope**: where u_k = φ_k(w_k) entry by entry, with all slopes of φ_k in [m_k − r_k, m_k + r_k], and w_k has the
 * form Σ_i B_ki·z_ki + c: φ_k(w) = m_k·w + ψ_k(w) with |slopes of ψ_k| ≤ r_k, so
 *   v_t = Σ_{j not such} M_j·u_jt + Σ_k m_k·M_k·B_ki·z_kit + Σ_k M_k·ψ_k(w_kt) + c,
 *   G(v) ≤ Σ over bases of ‖the sum of its matrices‖·G(base) + Σ_k r_k·‖M_k‖·G(w_k).
 *   For x + α⊙W₂φ(W₁x) that is ‖I + m·αW₂W₁‖ + r·‖αW₂‖·‖W₁‖.
 */
import type { Layer } from "../layers/layer.ts";
import type { Model, Node, ValueId } from "../model/model.ts";
import type { MatrixNorms, MatrixOracle } from "./facts.ts";
import { channelsOf, closed, closeValue, nothing, plus, through, tighter, times, type Gain } from "./gain.ts";
import { coefficientMatrix, identityMatrix, productOf, rowsOf, sumOf, type Matrix } from "./matrix.ts";
import { maxUp, subUp } from "./up.ts";

interface Term {
  readonly matrix: Matrix;
  readonly base: ValueId;
}

interface Form {
  readonly terms: readonly Term[];
  /** Whether it knows more than the layers' own rules, one after the other: something was multiplied or met again. */
  readonly adds: boolean;
  /** Values between the bases and this one: against one of them as source the form says nothing. */
  readonly inside: ReadonlySet<ValueId>;
}

/** Σ matrix·base + Σ radius·matrix·(what ψ makes of `before`). */
interface Centred {
  readonly linear: readonly Term[];
  readonly rest: readonly { readonly matrix: Matrix; readonly before: ValueId; readonly radius: number }[];
  readonly inside: ReadonlySet<ValueId>;
}

export type Gains = (value: ValueId) => Gain;

/** Longer sums are left to the forward pass. */
const mostTerms = 12;

export class Forms {
  private readonly model: Model;
  private readonly layers: ReadonlyMap<string, Layer>;
  private readonly norms: MatrixOracle;
  private readonly producers = new Map<ValueId, Node>();
  private readonly readers = new Map<ValueId, Node[]>();
  private readonly outputs: ReadonlySet<ValueId>;
  private readonly forms = new Map<ValueId, Form | null>();
  private readonly centreds = new Map<ValueId, Centred | null>();
  private readonly slices = new Map<string, readonly Form[] | null>();

  constructor(model: Model, layers: ReadonlyMap<string, Layer>, norms: MatrixOracle) {
    [this.model, this.layers, this.norms] = [model, layers, norms];
    this.outputs = new Set(model.outputs.map((output) => output.value));
    for (const node of model.nodes) {
      for (const value of node.outputs) this.producers.set(value, node);
      for (const value of node.inputs) this.readers.set(value, [...(this.readers.get(value) ?? []), node]);
    }
  }

  /** A proven gain of the value against the source by its form, and the rule's name; null where there is none. */
  gain(value: ValueId, source: ValueId, gains: Gains): { gain: Gain; rule: string } | null {
    if (!this.wanted(value)) return null;
    const form = this.formOf(value);
    if (!form) return null;
    const plain = form.inside.has(source) || !form.adds ? null : this.plain(value, form, gains);
    const centred = this.centredOf(value, form);
    const around = centred && !centred.inside.has(source) ? this.around(value, centred, gains) : null;
    if (!around) return plain && { gain: plain, rule: "Adjacent linear maps" };
    if (!plain) return { gain: around, rule: "Centre slope" };
    const gain = tighter(plain, around);
    return { gain, rule: gain.entries[0] < plain.entries[0] ? "Centre slope" : "Adjacent linear maps" };
  }

  /** Gains of the value's equal channel groups, one by one: rows of its matrices. */
  parts(value: ValueId, count: number, source: ValueId, gains: Gains): readonly Gain[] | null {
    const key = `${value} ${count}`;
    let forms = this.slices.get(key);
    if (forms === undefined) this.slices.set(key, (forms = this.sliced(value, count)));
    if (!forms || value === source || forms[0].inside.has(source)) return null;
    const found = forms.map((form) => this.plain(value, form, gains, count));
    return found.every((gain): gain is Gain => gain !== null) ? found : null;
  }

  private sliced(value: ValueId, count: number): Form[] | null {
    const form = this.formOf(value);
    const channels = channelsOf(this.model.values[value].shape);
    if (!form || channels % count !== 0) return null;
    const width = channels / count;
    return Array.from({ length: count }, (_, part) => ({
      terms: form.terms.map(({ matrix, base }) => ({ matrix: rowsOf(matrix, part * width, width), base })),
      inside: form.inside,
      adds: true,
    }));
  }

  /** Values that are passed on through one more such map alone are seen to there. */
  private wanted(value: ValueId): boolean {
    const readers = this.readers.get(value) ?? [];
    return this.outputs.has(value) || readers.length !== 1 || !this.tokenwise(readers[0]);
  }

  private tokenwise(node: Node): ReturnType<NonNullable<Layer["tokenwise"]>> {
    const { values, weights } = this.model;
    const outputs = node.outputs.map((value) => values[value].shape);
    return this.layers.get(node.layer)?.tokenwise?.({
      config: node.config,
      shapes: node.inputs.map((value) => values[value].shape),
      outputs,
      weight: (name) => weights[node.weights[name]],
      coefficient: (c) => coefficientMatrix(channelsOf(outputs[0]), c, this.model),
    });
  }

  private formOf(value: ValueId): Form | null {
    let form = this.forms.get(value);
    if (form === undefined) this.forms.set(value, (form = this.makeForm(value)));
    return form;
  }

  private makeForm(value: ValueId): Form | null {
    const node = this.producers.get(value);
    const summands = node && this.tokenwise(node)?.[node.outputs.indexOf(value)];
    if (!node || !summands) return null;
    const terms: Term[] = [];
    const inside = new Set<ValueId>();
    for (const { input, matrix } of summands) {
      const before = this.seen(node.inputs[input]);
      before.inside.forEach((v) => inside.add(v));
      for (const term of before.terms)
        terms.push({ matrix: productOf(matrix, term.matrix), base: term.base });
    }
    const merged = merge(terms);
    const adds = inside.size > 0 || merged.length < terms.length;
    inside.add(value);
    return merged.length <= mostTerms ? { terms: merged, inside, adds } : null;
  }

  /** How a reader sees a value: through to its bases where nobody else reads it, else as a base itself. */
  private seen(value: ValueId): Form {
    const alone = (this.readers.get(value)?.length ?? 0) === 1 && !this.outputs.has(value);
    const form = alone ? this.formOf(value) : null;
    if (form) return form;
    const channels = channelsOf(this.model.values[value].shape);
    return { terms: [{ matrix: identityMatrix(channels), base: value }], inside: new Set(), adds: false };
  }

  private centredOf(value: ValueId, form: Form): Centred | null {
    let centred = this.centreds.get(value);
    if (centred === undefined) this.centreds.set(value, (centred = this.makeCentred(form)));
    return centred;
  }

  private makeCentred(form: Form): Centred | null {
    const linear: Term[] = [];
    const rest: { matrix: Matrix; before: ValueId; radius: number }[] = [];
    const inside = new Set(form.inside);
    for (const { matrix, base } of form.terms) {
      const node = this.producers.get(base);
      const slopes = node && this.layers.get(node.layer)?.slopes?.(node.config);
      if (!node || !slopes) {
        linear.push({ matrix, base });
        continue;
      }
      const [low, high] = slopes;
      const middle = (low + high) / 2;
      const [before] = node.inputs;
      const seen = this.seen(before);
      inside.add(base);
      seen.inside.forEach((v) => inside.add(v));
      rest.push({ matrix, before, radius: maxUp(subUp(high, middle), subUp(middle, low)) });
      for (const term of seen.terms) {
        const product = productOf(matrix, term.matrix);
        linear.push({
          matrix: middle === 1 ? product : sumOf([{ factor: middle, of: product }]),
          base: term.base,
        });
      }
    }
    if (rest.length === 0) return null;
    // With nothing multiplied and nothing joined, m·‖M‖ + r·‖M‖ is the slope's own rule.
    const joined = merge(linear);
    const multiplied = rest.some(({ before }) => this.seen(before).inside.size > 0);
    return multiplied || joined.length < linear.length ? { linear: joined, rest, inside } : null;
  }

  private plain(value: ValueId, { terms }: Pick<Form, "terms">, gains: Gains, parts = 1): Gain | null {
    let sum: Gain = nothing;
    for (const term of terms) {
      const gain = this.along(value, term.matrix, term.base, gains, parts);
      if (!gain) return null;
      sum = plus(sum, gain);
    }
    return closeValue(sum, this.shapeOf(value, parts));
  }

  private around(value: ValueId, { linear, rest }: Centred, gains: Gains): Gain | null {
    let sum = this.plain(value, { terms: linear }, gains);
    for (const { matrix, before, radius } of rest) {
      const gain = this.along(value, matrix, before, gains);
      if (!sum || !gain) return null;
      sum = plus(sum, times(radius, gain));
    }
    return sum && closeValue(sum, this.shapeOf(value, 1));
  }

  private along(value: ValueId, matrix: Matrix, base: ValueId, gains: Gains, parts = 1): Gain | null {
    const norms = this.norms(matrix);
    return (
      norms && through(gains(base), mapOf(norms, this.model.values[base].shape, this.shapeOf(value, parts)))
    );
  }

  private shapeOf(value: ValueId, parts: number): readonly number[] {
    const { shape } = this.model.values[value];
    return [...shape.slice(0, -1), channelsOf(shape) / parts];
  }
}

/** Linear's rule. */
function mapOf(norms: MatrixNorms, input: readonly number[], output: readonly number[]): readonly number[] {
  const { spectral, rowSum, rowNorm } = norms;
  return closed({ l2: spectral, token: spectral, linf: rowSum, "token->linf": rowNorm }, input, output);
}

/** One term for each base. */
function merge(terms: readonly Term[]): Term[] {
  const byBase = new Map<ValueId, Matrix[]>();
  for (const { matrix, base } of terms) byBase.set(base, [...(byBase.get(base) ?? []), matrix]);
  return [...byBase].map(([base, matrices]) => ({
    base,
    matrix: sumOf(matrices.map((of) => ({ factor: 1, of }))),
  }));
}
