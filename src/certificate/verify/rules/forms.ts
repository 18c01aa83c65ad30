/**
 * Neighbouring affine maps multiplied before their norm is taken: docs/gains.md, "Adjacent linear maps", "Centre slope" and
 * "Channel scales". A value's tokens are v_t = Σ_j M_j·u_jt + c; the u_j are its bases.
 */
import {
  channelsOf,
  closed,
  closeValue,
  plus,
  sequence,
  tighter,
  times,
  zeros,
  type Gain,
  type Shape,
} from "./gains.ts";
import { identityMatrix, isDiagonal, productOf, rowsOf, sumOf, type Matrix } from "./matrix.ts";
import { slopesOf } from "./pointwise.ts";
import type { Node } from "./rule.ts";
import type { Gains, Scene } from "./scene.ts";
import type { Graph } from "./structure.ts";
import { channelsIn, summandsOf } from "./tokenwise.ts";

export interface MatrixNorms<T> {
  readonly spectral: T;
  readonly rowSum: T;
  readonly rowNorm: T;
}

export interface FormGain<T> {
  readonly gain: Gain<T>;
  readonly rule: "Adjacent linear maps" | "Centre slope" | "Channel scales";
  /** Values whose gains were used. */
  readonly premises: readonly number[];
}

interface Term {
  readonly matrix: Matrix;
  readonly base: number;
}

interface Form {
  readonly terms: readonly Term[];
  /** Something was multiplied, or met again. */
  readonly adds: boolean;
  /** Values between the bases and this one: against one of them as source the form says nothing. */
  readonly inside: ReadonlySet<number>;
}

interface Centred {
  readonly linear: readonly Term[];
  readonly rest: readonly {
    readonly matrix: Matrix;
    readonly before: number;
    readonly node: Node;
    readonly middle: number;
  }[];
  readonly inside: ReadonlySet<number>;
}

/** One question: the gain of which shape, against which source. */
interface Question<T> {
  readonly shape: Shape;
  readonly source: number;
  readonly gain: Gains<T>;
}

/** Pointwise maps that are looked through, one behind the other; longer sums are left alone. */
const deepest = 3;
const mostTerms = 12;

export class Forms<T> {
  private readonly scene: Scene<T>;
  private readonly graph: Graph;
  private readonly norms: (matrix: Matrix) => MatrixNorms<T> | null;
  private readonly readers = new Map<number, Node[]>();
  private readonly outputs: ReadonlySet<number>;
  private readonly forms = new Map<number, Form | null>();

  /** `norms`: what is known of a matrix; null for nothing. `outputs` are seen from outside. */
  constructor(
    scene: Scene<T>,
    graph: Graph,
    outputs: readonly number[],
    norms: (matrix: Matrix) => MatrixNorms<T> | null,
  ) {
    [this.scene, this.graph, this.norms] = [scene, graph, norms];
    this.outputs = new Set(outputs);
    for (const node of graph.nodes)
      for (const value of node.inputs) this.readers.set(value, [...(this.readers.get(value) ?? []), node]);
  }

  /** The gain of a value by its form; null where the form says nothing more than the layers do. */
  gain(value: number, source: number, known: Gains<T>): FormGain<T> | null {
    const form = this.wanted(value) ? this.formOf(value) : null;
    if (!form) return this.channelwise(value, source, known);
    const premises = new Set<number>();
    const gain: Gains<T> = (base) => (premises.add(base), known(base));
    const at = { shape: this.graph.shape(value), source, gain };
    const deep = form.terms.some(({ matrix, base }) => this.deepens(matrix, base));
    const useful = !form.inside.has(source) && (form.adds || deep);
    const plain = useful ? this.plain(at, form.terms) : null;
    const centred = this.centredOf(form);
    const around = centred && !centred.inside.has(source) ? this.around(at, centred) : null;
    const told = { premises: [...premises].sort((a, b) => a - b) };
    if (around)
      return { gain: plain ? tighter(this.a, plain, around) : around, rule: "Centre slope", ...told };
    return plain && { gain: plain, rule: form.adds ? "Adjacent linear maps" : "Channel scales", ...told };
  }

  /** A depthwise convolution by its frequencies. */
  private channelwise(value: number, source: number, gain: Gains<T>): FormGain<T> | null {
    const node = this.graph.producer(value);
    const matrix = node && value !== source ? channelsIn(node, this.shape) : null;
    if (!node || !matrix) return null;
    const at = { shape: this.shape(value), source, gain };
    const found = this.scaled(at, identityMatrix(matrix.rows), node);
    return found && { gain: found, rule: "Channel scales", premises: node.inputs };
  }

  /** Gains of the equal channel groups of a value, by rows of its matrices. */
  parts(value: number, count: number, source: number, gain: Gains<T>): readonly Gain<T>[] | null {
    const form = this.formOf(value);
    const shape = this.graph.shape(value);
    const width = channelsOf(shape) / count;
    if (!form || value === source || form.inside.has(source) || !Number.isInteger(width)) return null;
    const at = { shape: [...shape.slice(0, -1), width], source, gain };
    const found = Array.from({ length: count }, (_, part) =>
      this.plain(
        at,
        form.terms.map(({ matrix, base }) => ({ matrix: rowsOf(matrix, part * width, width), base })),
      ),
    );
    return found.every((gain): gain is Gain<T> => gain !== null) ? found : null;
  }

  private get a() {
    return this.scene.a;
  }

  private readonly shape = (value: number): Shape => this.graph.shape(value);

  /** Values that are passed on through one more such map alone are seen to there. */
  private wanted(value: number): boolean {
    const readers = this.readers.get(value) ?? [];
    return this.outputs.has(value) || readers.length !== 1 || !summandsOf(readers[0], this.shape);
  }

  private formOf(value: number): Form | null {
    let form = this.forms.get(value);
    if (form === undefined) this.forms.set(value, (form = this.makeForm(value)));
    return form;
  }

  private makeForm(value: number): Form | null {
    const node = this.graph.producer(value);
    const summands = node && summandsOf(node, this.shape)?.[node.outputs.indexOf(value)];
    if (!summands) return null;
    const terms: Term[] = [];
    const inside = new Set<number>();
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
  private seen(value: number): Form {
    const alone = (this.readers.get(value)?.length ?? 0) === 1 && !this.outputs.has(value);
    const form = alone ? this.formOf(value) : null;
    if (form) return form;
    const matrix = identityMatrix(channelsOf(this.shape(value)));
    return { terms: [{ matrix, base: value }], inside: new Set(), adds: false };
  }

  private slopes(node: Node | null): { readonly low: T; readonly high: T; readonly middle: number } | null {
    const slopes = node && slopesOf(this.scene.a, node);
    return slopes && { low: slopes.ends[0], high: slopes.ends[1], middle: slopes.middle };
  }

  private centredOf(form: Form): Centred | null {
    const linear: Term[] = [];
    const rest: { matrix: Matrix; before: number; node: Node; middle: number }[] = [];
    const inside = new Set(form.inside);
    for (const { matrix, base } of form.terms) {
      const node = this.graph.producer(base);
      const slopes = this.slopes(node);
      if (!node || !slopes) {
        linear.push({ matrix, base });
        continue;
      }
      const { middle } = slopes;
      const [before] = node.inputs;
      const seen = this.seen(before);
      inside.add(base);
      seen.inside.forEach((v) => inside.add(v));
      rest.push({ matrix, before, node, middle });
      for (const term of seen.terms) {
        const of = productOf(matrix, term.matrix);
        linear.push({ matrix: sumOf([{ factor: middle, of }]), base: term.base });
      }
    }
    if (rest.length === 0) return null;
    // With nothing multiplied and nothing joined it is the slope's own rule.
    const joined = merge(linear);
    const multiplied = rest.some(({ before }) => this.seen(before).inside.size > 0);
    return multiplied || joined.length < linear.length ? { linear: joined, rest, inside } : null;
  }

  private plain(at: Question<T>, terms: readonly Term[]): Gain<T> | null {
    let sum = zeros(this.a);
    for (const { matrix, base } of terms) {
      const gain = this.term(at, matrix, base, deepest);
      if (!gain) return null;
      sum = plus(this.a, sum, gain);
    }
    return closeValue(this.a, sum, at.shape);
  }

  /** φ = m·w + ψ(w), all slopes of ψ within ±r. */
  private around(at: Question<T>, { linear, rest }: Centred): Gain<T> | null {
    const { a } = this;
    let sum = this.plain(at, linear);
    for (const { matrix, before, node, middle } of rest) {
      const gain = this.moved(at, matrix, before, deepest);
      const slopes = this.slopes(node);
      if (!sum || !gain || !slopes) return null;
      const m = a.num(middle);
      const radius = a.max(a.sub(slopes.high, m), a.sub(m, slopes.low));
      sum = plus(a, sum, times(a, radius, gain));
    }
    return sum && closeValue(a, sum, at.shape);
  }

  /** ‖M‖·G(base), by Linear's rule. */
  private along(at: Question<T>, matrix: Matrix, base: number): Gain<T> | null {
    const norms = this.norms(matrix);
    if (!norms) return null;
    const { spectral, rowSum, rowNorm } = norms;
    const stated = { l2: spectral, token: spectral, linf: rowSum, "token->linf": rowNorm };
    return sequence(this.a, at.gain(base), closed(this.a, stated, this.shape(base), at.shape));
  }

  /** The gain of M·u: by u's own, or by what u is made of. */
  private term(at: Question<T>, matrix: Matrix, base: number, depth: number): Gain<T> | null {
    const { a } = this;
    const plain = this.along(at, matrix, base);
    if (!plain || depth === 0 || at.source === base || !this.deepens(matrix, base)) return plain;
    const node = this.graph.producer(base) as Node;
    const slopes = this.slopes(node);
    if (!slopes) return this.least(plain, this.scaled(at, matrix, node));
    const slope = a.max(a.abs(slopes.low), a.abs(slopes.high));
    const inner = this.moved(at, matrix, node.inputs[0], depth - 1);
    return inner ? tighter(a, plain, times(a, slope, inner)) : plain;
  }

  /** ‖M·S·δw‖ for every diagonal S with entries in [−1, 1], which may differ from token to token. */
  private moved(at: Question<T>, matrix: Matrix, before: number, depth: number): Gain<T> | null {
    const { a } = this;
    const plain = this.along(at, matrix, before);
    if (!plain || depth === 0 || at.source === before) return plain;
    const node = this.graph.producer(before);
    if (node && channelsIn(node, this.shape)) return this.least(plain, this.scaled(at, matrix, node));
    // Diagonal matrices change places.
    const seen = isDiagonal(matrix) ? this.seen(before) : null;
    if (!seen || seen.inside.size === 0 || seen.inside.has(at.source)) return plain;
    let sum = zeros(a);
    for (const term of seen.terms) {
      const gain = this.term(at, productOf(matrix, term.matrix), term.base, depth - 1);
      if (!gain) return plain;
      sum = plus(a, sum, gain);
    }
    return tighter(a, plain, closeValue(a, sum, at.shape));
  }

  /** ‖M·diag(n)‖ times the gain of what the channel-wise map reads, in l2. */
  private scaled(at: Question<T>, matrix: Matrix, node: Node): Gain<T> | null {
    const channels = channelsIn(node, this.shape);
    const norms = channels && at.source !== node.outputs[0] ? this.norms(productOf(matrix, channels)) : null;
    if (!norms) return null;
    const [base] = node.inputs;
    const map = closed(this.a, { l2: norms.spectral }, this.shape(base), at.shape);
    return sequence(this.a, at.gain(base), map);
  }

  /** Whether M·u can be seen through u: a channel-wise map, a pointwise map of one, or of anything where M is diagonal. */
  private deepens(matrix: Matrix, base: number): boolean {
    const node = this.graph.producer(base);
    if (!node) return false;
    if (channelsIn(node, this.shape)) return true;
    if (!this.slopes(node)) return false;
    const before = this.graph.producer(node.inputs[0]);
    if (before && channelsIn(before, this.shape)) return true;
    return isDiagonal(matrix) && this.seen(node.inputs[0]).inside.size > 0;
  }

  private least(x: Gain<T>, y: Gain<T> | null): Gain<T> {
    return y ? tighter(this.a, x, y) : x;
  }
}

/** One term for each base. */
function merge(terms: readonly Term[]): Term[] {
  const byBase = new Map<number, Matrix[]>();
  for (const { matrix, base } of terms) byBase.set(base, [...(byBase.get(base) ?? []), matrix]);
  return [...byBase].map(([base, matrices]) => ({
    base,
    matrix: sumOf(matrices.map((of) => ({ factor: 1, of }))),
  }));
}
