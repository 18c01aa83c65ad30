/**
 * Builds a graph node by node. Shapes are inferred and checked by the primitives' own rules; equal nodes are made once;
 * a mistake here is a bug of a layer's lowering, so it throws.
 */
import type { DType, Dims, Graph, GraphNode, Op, OpAttributes } from "./graph.ts";
import { primitives } from "./primitives/registry.ts";

/** A node of a graph under construction. */
export interface Tensor {
  readonly id: number;
  readonly shape: Dims;
  readonly dtype: DType;
}

export class Builder {
  readonly nodes: GraphNode[] = [];
  /** Given to every node made from now on. */
  origin = "";
  /** See `fixed`. */
  readonly fixedNodes: Tensor[] = [];
  /** See `arbitrary`. */
  readonly arbitraryNodes: Tensor[] = [];
  /** See `differentiatedAs`. */
  readonly standIns = new Map<number, Tensor>();
  /** Nodes by what they are; equal ones are made once. */
  protected readonly known = new Map<string, number>();
  private readonly arrays = new Map<object, number>();

  op<O extends Op>(op: O, inputs: readonly Tensor[], attributes: OpAttributes[O], dtype?: DType): Tensor {
    const { shape, dtype: result } = primitives[op].shape(
      inputs.map((t) => this.nodes[t.id]),
      attributes as never,
      dtype,
    );
    const key =
      op === "input" ? "" : `${op}|${inputs.map((t) => t.id)}|${result}|${keyOf(op, attributes, shape)}`;
    const before = key === "" ? undefined : this.known.get(key);
    if (before !== undefined) return this.tensor(before);
    const id = this.nodes.length;
    this.nodes.push({
      op,
      inputs: inputs.map((t) => t.id),
      attributes,
      shape,
      dtype: result,
      origin: this.origin,
    });
    if (key !== "") this.known.set(key, id);
    return this.tensor(id);
  }

  tensor(id: number): Tensor {
    return { id, shape: this.nodes[id].shape, dtype: this.nodes[id].dtype };
  }

  input(name: string, shape: Dims, dtype: DType = "f32"): Tensor {
    const id = this.nodes.length;
    this.nodes.push({ op: "input", inputs: [], attributes: { name }, shape, dtype, origin: this.origin });
    return this.tensor(id);
  }
  /** A constant tensor; a single number fills the shape. */
  constant(data: number | readonly number[] | Float64Array, shape: Dims = [], dtype: DType = "f32"): Tensor {
    const fill = typeof data === "number";
    return this.constantNode(fill ? [data] : data, fill, shape, dtype);
  }
  private constantNode(
    data: readonly number[] | Float64Array,
    fill: boolean,
    shape: Dims,
    dtype: DType,
  ): Tensor {
    // Small constants are equal by their entries, large ones where they are the same array.
    const entries =
      data.length <= 16
        ? Array.from(data, (x) => (Object.is(x, -0) ? "-0" : String(x))).join()
        : `@${this.identityOf(data)}`;
    const key = `constant|${fill}|${dtype}|${shape}|${entries}`;
    const before = this.known.get(key);
    if (before !== undefined) return this.tensor(before);
    const id = this.nodes.length;
    this.nodes.push({
      op: "constant",
      inputs: [],
      attributes: { data, fill },
      shape,
      dtype,
      origin: this.origin,
    });
    this.known.set(key, id);
    return this.tensor(id);
  }
  private identityOf(data: object): number {
    let identity = this.arrays.get(data);
    if (identity === undefined) this.arrays.set(data, (identity = this.arrays.size));
    return identity;
  }

  /** Taken as a constant by autodiff from now on, wherever it is used: for what cancels, or is no part of the gradient. */
  fixed(x: Tensor): Tensor {
    this.fixedNodes.push(x);
    return x;
  }

  /**
   * A number on which nothing depends that is made with it: any positive one would do, it only keeps others in range. So
   * autodiff takes it as a constant, and error analysis as the number that was computed.
   */
  arbitrary(x: Tensor): Tensor {
    this.arbitraryNodes.push(x);
    return this.fixed(x);
  }

  /**
   * x, whose gradient autodiff takes from `standIn`: a tensor made before it that has the same value in real arithmetic and
   * is cheaper to differentiate.
   */
  differentiatedAs(x: Tensor, standIn: Tensor): Tensor {
    if (standIn.id >= x.id) throw new Error("a stand-in made after what it stands in for");
    this.standIns.set(x.id, standIn);
    return x;
  }

  private lift(x: Tensor | number): Tensor {
    return typeof x === "number" ? this.constant(x) : x;
  }
  add = (a: Tensor | number, b: Tensor | number): Tensor => this.op("add", [this.lift(a), this.lift(b)], {});
  sub = (a: Tensor | number, b: Tensor | number): Tensor => this.op("sub", [this.lift(a), this.lift(b)], {});
  mul = (a: Tensor | number, b: Tensor | number): Tensor => this.op("mul", [this.lift(a), this.lift(b)], {});
  div = (a: Tensor | number, b: Tensor | number): Tensor => this.op("div", [this.lift(a), this.lift(b)], {});
  maximum = (a: Tensor | number, b: Tensor | number): Tensor =>
    this.op("maximum", [this.lift(a), this.lift(b)], {});
  minimum = (a: Tensor | number, b: Tensor | number): Tensor =>
    this.op("minimum", [this.lift(a), this.lift(b)], {});
  greater = (a: Tensor | number, b: Tensor | number): Tensor =>
    this.op("greater", [this.lift(a), this.lift(b)], {});
  equal = (a: Tensor, b: Tensor): Tensor => this.op("equal", [a, b], {});
  select = (condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor =>
    this.op("select", [condition, this.lift(a), this.lift(b)], {});
  neg = (x: Tensor): Tensor => this.op("neg", [x], {});
  exp = (x: Tensor): Tensor => this.op("exp", [x], {});
  log = (x: Tensor): Tensor => this.op("log", [x], {});
  sqrt = (x: Tensor): Tensor => this.op("sqrt", [x], {});
  erf = (x: Tensor): Tensor => this.op("erf", [x], {});
  tanh = (x: Tensor): Tensor => this.op("tanh", [x], {});
  sigmoid = (x: Tensor): Tensor => this.op("sigmoid", [x], {});
  abs = (x: Tensor): Tensor => this.op("abs", [x], {});
  sign = (x: Tensor): Tensor => this.op("sign", [x], {});
  floor = (x: Tensor): Tensor => this.op("floor", [x], {});
  gelu = (x: Tensor, form: "exact" | "tanh" = "exact"): Tensor => this.op("gelu", [x], { form });
  cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : this.op("cast", [x], { to }));
  sum = (x: Tensor, axes: readonly number[], keep = false): Tensor => this.op("sum", [x], { axes, keep });
  max = (x: Tensor, axes: readonly number[], keep = false): Tensor => this.op("max", [x], { axes, keep });
  /** Mean over axes. */
  mean(x: Tensor, axes: readonly number[], keep = false): Tensor {
    const count = axes.reduce((n, a) => n * x.shape[a], 1);
    return this.mul(this.sum(x, axes, keep), 1 / count);
  }
  softmax = (x: Tensor): Tensor => this.op("softmax", [x], {});
  reshape = (x: Tensor, shape: Dims): Tensor =>
    same(x.shape, shape) ? x : this.op("reshape", [x], { shape });
  broadcast = (x: Tensor, shape: Dims): Tensor =>
    same(x.shape, shape) ? x : this.op("broadcast", [x], { shape });
  transpose = (x: Tensor, order: readonly number[]): Tensor =>
    order.every((o, i) => o === i) ? x : this.op("transpose", [x], { order });
  /** x[start:end] on one axis. */
  slice(x: Tensor, axis: number, start: number, end: number, step = 1): Tensor {
    if (start === 0 && end === x.shape[axis] && step === 1) return x;
    return this.op("slice", [x], {
      start: x.shape.map((_, i) => (i === axis ? start : 0)),
      end: x.shape.map((n, i) => (i === axis ? end : n)),
      step: x.shape.map((_, i) => (i === axis ? step : 1)),
    });
  }
  concat = (xs: readonly Tensor[], axis: number): Tensor =>
    xs.length === 1 ? xs[0] : this.op("concat", xs, { axis });
  pad = (x: Tensor, before: readonly number[], after: readonly number[]): Tensor =>
    this.op("pad", [x], { before, after });
  gather = (x: Tensor, indices: Tensor, axis: number): Tensor => this.op("gather", [x, indices], { axis });
  matmul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
    this.op("matmul", [a, b], { transposeA, transposeB });
  conv = (x: Tensor, kernel: Tensor, attributes: OpAttributes["conv"]): Tensor =>
    this.op("conv", [x, kernel], attributes);

  graph(name: string, outputs: readonly { readonly name: string; readonly tensor: Tensor }[]): Graph {
    return { name, nodes: this.nodes, outputs: outputs.map((o) => ({ name: o.name, node: o.tensor.id })) };
  }
}

function same(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** Identity of a node beside its op and inputs. */
function keyOf(op: Op, attributes: unknown, shape: Dims): string {
  return op === "constant" ? "" : JSON.stringify(attributes) + shape.join();
}
