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
 *
 * **Channel scales**: between two points a pointwise map is a diagonal matrix S on each token, and diagonal matrices change
 * places. With |S| ≤ s and a channel-wise linear map K = diag(n)·K̃, ‖K̃‖ ≤ 1 in l2 (a depthwise convolution):
 *   ‖M·S·K·δz‖ = ‖M·diag(n)·S·K̃·δz‖ ≤ s·‖M·diag(n)‖·‖δz‖, and for diagonal M ‖M·S·δw‖ = ‖S·M·δw‖ ≤ s·‖M·δw‖.
 */
import type { Config, Layer, TokenwiseContext } from "../layers/layer.ts";
import type { Model, Node, ValueId } from "../model/model.ts";
import type { MatrixNorms, MatrixOracle } from "./facts.ts";
import { channelsOf, closed, closeValue, nothing, plus, through, tighter, times, type Gain } from "./gain.ts";
import {
  coefficientMatrix,
  identityMatrix,
  isDiagonal,
  productOf,
  rowsOf,
  sumOf,
  type Matrix,
} from "./matrix.ts";
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

/** Where a form is used: for which value, of this shape, against which source. */
interface Place {
  readonly value: ValueId;
  readonly shape: readonly number[];
  readonly source: ValueId;
  readonly gains: Gains;
}

/** Pointwise maps that are looked through, one behind the other. */
const deepest = 3;

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
  private readonly channelNorms = new Map<Node, Matrix | undefined>();
  private readonly products = new Map<Matrix, Map<Matrix, Matrix>>();
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
    const at: Place = { value, shape: this.model.values[value].shape, source, gains };
    const deep = form.terms.some(({ matrix, base }) => this.deepens(matrix, base));
    const plain = form.inside.has(source) || !(form.adds || deep) ? null : this.plain(at, form);
    const centred = this.centredOf(value, form);
    const around = centred && !centred.inside.has(source) ? this.around(at, centred) : null;
    const plainRule = form.adds ? "Adjacent linear maps" : "Channel scales";
    if (!around) return plain && { gain: plain, rule: plainRule };
    if (!plain) return { gain: around, rule: "Centre slope" };
    const gain = tighter(plain, around);
    return { gain, rule: gain.entries[0] < plain.entries[0] ? "Centre slope" : plainRule };
  }

  /** Gains of the value's equal channel groups, one by one: rows of its matrices. */
  parts(value: ValueId, count: number, source: ValueId, gains: Gains): readonly Gain[] | null {
    const key = `${value} ${count}`;
    let forms = this.slices.get(key);
    if (forms === undefined) this.slices.set(key, (forms = this.sliced(value, count)));
    if (!forms || value === source || forms[0].inside.has(source)) return null;
    const { shape } = this.model.values[value];
    const part = [...shape.slice(0, -1), channelsOf(shape) / count];
    const found = forms.map((form) => this.plain({ value, shape: part, source, gains }, form));
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
    return this.layers.get(node.layer)?.tokenwise?.(this.contextOf(node));
  }

  private contextOf(node: Node): TokenwiseContext<Config> {
    const { values, weights } = this.model;
    const outputs = node.outputs.map((value) => values[value].shape);
    return {
      config: node.config,
      shapes: node.inputs.map((value) => values[value].shape),
      outputs,
      weight: (name) => weights[node.weights[name]],
      coefficient: (c) => coefficientMatrix(channelsOf(outputs[0]), c, this.model),
    };
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

  private plain(at: Place, { terms }: Pick<Form, "terms">): Gain | null {
    let sum: Gain = nothing;
    for (const { matrix, base } of terms) {
      const gain = this.term(at, matrix, base, deepest);
      if (!gain) return null;
      sum = plus(sum, gain);
    }
    return closeValue(sum, at.shape);
  }

  private around(at: Place, { linear, rest }: Centred): Gain | null {
    let sum = this.plain(at, { terms: linear });
    for (const { matrix, before, radius } of rest) {
      const gain = this.moved(at, matrix, before, deepest);
      if (!sum || !gain) return null;
      sum = plus(sum, times(radius, gain));
    }
    return sum && closeValue(sum, at.shape);
  }

  /** ‖M‖·G(base) by Linear's rule; null where the matrix isn't known. */
  private along(at: Place, matrix: Matrix, base: ValueId): Gain | null {
    const norms = this.norms(matrix);
    return norms && through(at.gains(base), mapOf(norms, this.model.values[base].shape, at.shape));
  }

  /** The gain of M·u: by u's own gain, or by what u is made of (Channel scales). */
  private term(at: Place, matrix: Matrix, base: ValueId, depth: number): Gain | null {
    const plain = this.along(at, matrix, base);
    if (!plain || depth === 0 || at.source === base || !this.deepens(matrix, base)) return plain;
    const node = this.producers.get(base) as Node;
    const slopes = this.layers.get(node.layer)?.slopes?.(node.config);
    if (!slopes) return least(plain, this.scaled(at, matrix, node));
    const slope = maxUp(Math.abs(slopes[0]), Math.abs(slopes[1]));
    const inner = this.moved(at, matrix, node.inputs[0], depth - 1);
    return inner ? tighter(plain, times(slope, inner)) : plain;
  }

  /** A bound of ‖M·S·δw‖ for every diagonal S with entries in [−1, 1], which may differ from token to token. */
  private moved(at: Place, matrix: Matrix, before: ValueId, depth: number): Gain | null {
    const plain = this.along(at, matrix, before);
    if (!plain || depth === 0 || at.source === before) return plain;
    const node = this.producers.get(before);
    if (node && this.channels(node)) return least(plain, this.scaled(at, matrix, node));
    const seen = isDiagonal(matrix) ? this.seen(before) : null;
    if (!seen || seen.inside.size === 0 || seen.inside.has(at.source)) return plain;
    let sum: Gain = nothing;
    for (const term of seen.terms) {
      const gain = this.term(at, this.product(matrix, term.matrix), term.base, depth - 1);
      if (!gain) return plain;
      sum = plus(sum, gain);
    }
    return tighter(plain, closeValue(sum, at.shape));
  }

  /** ‖M·diag(n)‖ times the gain of what the channel-wise map reads, in l2. */
  private scaled(at: Place, matrix: Matrix, node: Node): Gain | null {
    const channels = this.channels(node);
    const norms = channels && this.norms(this.product(matrix, channels));
    const [base] = node.inputs;
    if (!norms || at.source === node.outputs[0]) return null;
    return through(at.gains(base), closed({ l2: norms.spectral }, this.model.values[base].shape, at.shape));
  }

  /** Whether M·u can be seen through u: a pointwise map of a channel-wise one, either of them, or M diagonal. */
  private deepens(matrix: Matrix, base: ValueId): boolean {
    const node = this.producers.get(base);
    if (!node) return false;
    if (this.channels(node)) return true;
    if (!this.layers.get(node.layer)?.slopes) return false;
    const before = this.producers.get(node.inputs[0]);
    if (before && this.channels(before)) return true;
    return isDiagonal(matrix) && this.seen(node.inputs[0]).inside.size > 0;
  }

  private channels(node: Node): Matrix | undefined {
    let found = this.channelNorms.get(node);
    if (found === undefined && !this.channelNorms.has(node))
      this.channelNorms.set(node, (found = this.layers.get(node.layer)?.channels?.(this.contextOf(node))));
    return found;
  }

  /** One object for each product, so that its norm is proven once. */
  private product(left: Matrix, right: Matrix): Matrix {
    let known = this.products.get(left);
    if (!known) this.products.set(left, (known = new Map()));
    let product = known.get(right);
    if (!product) known.set(right, (product = productOf(left, right)));
    return product;
  }
}

function least(a: Gain, b: Gain | null): Gain {
  return b ? tighter(a, b) : a;
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
