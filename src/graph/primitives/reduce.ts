/** Reductions over axes, and softmax. */
import type { Dims, GraphNode } from "../graph.ts";
import type { Primitive } from "./primitive.ts";
import { expectAxes, expectDType, expectInputs, sizeOf, stridesOf, walk } from "./arrays.ts";

interface Over {
  readonly axes: readonly number[];
  readonly keep: boolean;
}

function reducedShape(op: string, inputs: readonly GraphNode[], { axes, keep }: Over) {
  expectInputs(op, inputs, 1);
  const [x] = inputs;
  expectDType(op, x, "f32", "i32");
  expectAxes(op, axes, x.shape.length);
  const shape = keep
    ? x.shape.map((n, i) => (axes.includes(i) ? 1 : n))
    : x.shape.filter((_, i) => !axes.includes(i));
  return { shape, dtype: x.dtype };
}

/** The shape with reduced axes kept as 1. */
function keptShape(shape: Dims, axes: readonly number[]): number[] {
  return shape.map((n, i) => (axes.includes(i) ? 1 : n));
}

/** Strides into the reduced result, along the operand's axes. */
function resultStrides(shape: Dims, axes: readonly number[]): number[] {
  const own = stridesOf(keptShape(shape, axes));
  return own.map((s, i) => (axes.includes(i) ? 0 : s));
}

export const sum: Primitive<"sum"> = {
  lazy: true,
  shape: (inputs, attributes) => reducedShape("sum", inputs, attributes),
  vjp(builder, { inputs: [x], attributes: { axes }, output }, grad) {
    if (x.dtype !== "f32") return [null];
    // Constant along the summed axes: left small (see Primitive.lazy).
    const held = [...new Array<number>(output.shape.length - grad.shape.length).fill(1), ...grad.shape];
    if (output.shape.length === x.shape.length) return [builder.reshape(grad, held)];
    let next = 0;
    return [
      builder.reshape(
        grad,
        x.shape.map((_, i) => (axes.includes(i) ? 1 : held[next++])),
      ),
    ];
  },
  evaluate([x], { axes }, shape) {
    const out = new Float64Array(sizeOf(shape));
    walk(x.shape, resultStrides(x.shape, axes), 0, (at, offset) => {
      out[offset] += x.data[at];
    });
    return out;
  },
};

/** Ties share the gradient equally. */
export const max: Primitive<"max"> = {
  shape(inputs, attributes) {
    const result = reducedShape("max", inputs, attributes);
    if (attributes.axes.some((a) => inputs[0].shape[a] === 0)) throw new Error("max over an empty axis");
    return result;
  },
  vjp(builder, { inputs: [x], attributes: { axes }, output }, grad) {
    if (x.dtype !== "f32") return [null];
    const full = keptShape(x.shape, axes);
    const held = builder.cast(builder.equal(x, builder.reshape(output, full)), "f32");
    const share = builder.div(builder.reshape(grad, full), builder.sum(held, axes, true));
    return [builder.mul(held, share)];
  },
  evaluate([x], { axes }, shape) {
    const out = new Float64Array(sizeOf(shape)).fill(-Infinity);
    walk(x.shape, resultStrides(x.shape, axes), 0, (at, offset) => {
      const v = x.data[at];
      if (v > out[offset] || Number.isNaN(v)) out[offset] = v;
    });
    return out;
  },
};

export const softmax: Primitive<"softmax"> = {
  shape(inputs) {
    expectInputs("softmax", inputs, 1);
    expectDType("softmax", inputs[0], "f32");
    if (inputs[0].shape.length === 0) throw new Error("softmax of a scalar");
    return { shape: inputs[0].shape, dtype: "f32" };
  },
  /** y·(g − Σ g·y): the first and the last of three full-size products share nothing, none can be saved. */
  vjp(builder, { output: y }, grad) {
    const last = [y.shape.length - 1];
    return [builder.mul(y, builder.sub(grad, builder.sum(builder.mul(grad, y), last, true)))];
  },
  evaluate([x]) {
    const n = x.shape[x.shape.length - 1];
    const out = new Float64Array(x.data.length);
    for (let row = 0; row < out.length; row += n) {
      let top = -Infinity;
      for (let i = row; i < row + n; i++) if (x.data[i] > top) top = x.data[i];
      let total = 0;
      for (let i = row; i < row + n; i++) total += out[i] = Math.exp(x.data[i] - top);
      for (let i = row; i < row + n; i++) out[i] /= total;
    }
    return out;
  },
};
