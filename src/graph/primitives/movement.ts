/** Operations that only move entries. */
import type { Builder, Tensor } from "../builder.ts";
import type { Primitive } from "./primitive.ts";
import {
  broadcastShapes,
  expand,
  expectAxes,
  expectInputs,
  readStrided,
  reduceTo,
  sameShape,
  sizeOf,
  stridesOf,
  walk,
} from "./arrays.ts";

export const reshape: Primitive<"reshape"> = {
  shape(inputs, { shape }) {
    expectInputs("reshape", inputs, 1);
    if (sizeOf(shape) !== sizeOf(inputs[0].shape))
      throw new Error(`reshape of [${inputs[0].shape}] to [${shape}]`);
    return { shape, dtype: inputs[0].dtype };
  },
  vjp: (builder, { inputs: [x] }, grad) => [builder.reshape(grad, x.shape)],
  evaluate: ([x]) => x.data,
};

export const broadcast: Primitive<"broadcast"> = {
  lazy: true,
  shape(inputs, { shape }) {
    expectInputs("broadcast", inputs, 1);
    if (!sameShape(broadcastShapes(inputs[0].shape, shape), shape)) {
      throw new Error(`broadcast of [${inputs[0].shape}] to [${shape}]`);
    }
    return { shape, dtype: inputs[0].dtype };
  },
  vjp: (builder, { inputs: [x], output }, grad) => [reduceTo(builder, grad, output.shape, x.shape)],
  evaluate: ([x], { shape }) => expand(x.data, x.shape, shape),
};

export const transpose: Primitive<"transpose"> = {
  shape(inputs, { order }) {
    expectInputs("transpose", inputs, 1);
    expectAxes("transpose", order, inputs[0].shape.length);
    if (order.length !== inputs[0].shape.length)
      throw new Error(`transpose of [${inputs[0].shape}] by [${order}]`);
    return { shape: order.map((o) => inputs[0].shape[o]), dtype: inputs[0].dtype };
  },
  vjp(builder, { attributes: { order } }, grad) {
    const back = new Array<number>(order.length);
    order.forEach((o, i) => (back[o] = i));
    return [builder.transpose(grad, back)];
  },
  evaluate([x], { order }, shape) {
    const strides = stridesOf(x.shape);
    return readStrided(
      x.data,
      shape,
      order.map((o) => strides[o]),
    );
  },
};

export const slice: Primitive<"slice"> = {
  shape(inputs, { start, end, step }) {
    expectInputs("slice", inputs, 1);
    const from = inputs[0].shape;
    if ([start, end, step].some((list) => list.length !== from.length))
      throw new Error("slice: one range per axis");
    const shape = from.map((n, i) => {
      if (!(start[i] >= 0 && end[i] <= n && start[i] <= end[i] && step[i] >= 1)) {
        throw new Error(`slice ${start[i]}:${end[i]}:${step[i]} of an axis of ${n}`);
      }
      return Math.ceil((end[i] - start[i]) / step[i]);
    });
    return { shape, dtype: inputs[0].dtype };
  },
  vjp(builder, { inputs: [x], attributes: { start, step } }, grad) {
    let spread = grad;
    step.forEach((s, axis) => {
      if (s > 1) spread = dilate(builder, spread, axis, s);
    });
    const after = x.shape.map((n, i) => n - start[i] - spread.shape[i]);
    if (start.every((s) => s === 0) && after.every((n) => n === 0)) return [spread];
    return [builder.pad(spread, start, after)];
  },
  evaluate([x], { start, step }, shape) {
    const strides = stridesOf(x.shape);
    const base = start.reduce((sum, s, i) => sum + s * strides[i], 0);
    return readStrided(
      x.data,
      shape,
      strides.map((s, i) => s * step[i]),
      base,
    );
  },
};

/** Puts `step − 1` zeros between the entries of an axis. */
function dilate(builder: Builder, x: Tensor, axis: number, step: number): Tensor {
  const n = x.shape[axis];
  if (n === 0) return x;
  const apart = builder.reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const none = apart.shape.map(() => 0);
  const wide = builder.pad(
    apart,
    none,
    none.map((_, i) => (i === axis + 1 ? step - 1 : 0)),
  );
  const joined = builder.reshape(
    wide,
    x.shape.map((m, i) => (i === axis ? m * step : m)),
  );
  return builder.slice(joined, axis, 0, (n - 1) * step + 1);
}

export const concat: Primitive<"concat"> = {
  shape(inputs, { axis }) {
    if (inputs.length === 0) throw new Error("concat of nothing");
    const [first] = inputs;
    expectAxes("concat", [axis], first.shape.length);
    let total = 0;
    for (const x of inputs) {
      const fits = x.dtype === first.dtype && x.shape.length === first.shape.length;
      if (!fits || x.shape.some((n, i) => i !== axis && n !== first.shape[i])) {
        throw new Error(`concat of ${inputs.map((t) => `[${t.shape}]`).join(", ")} along axis ${axis}`);
      }
      total += x.shape[axis];
    }
    return { shape: first.shape.map((n, i) => (i === axis ? total : n)), dtype: first.dtype };
  },
  vjp(builder, { inputs, attributes: { axis } }, grad) {
    let at = 0;
    return inputs.map((x) => {
      at += x.shape[axis];
      return builder.slice(grad, axis, at - x.shape[axis], at);
    });
  },
  evaluate(inputs, { axis }, shape) {
    const out = new Float64Array(sizeOf(shape));
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    const row = shape[axis] * inner;
    let at = 0;
    for (const x of inputs) {
      const part = x.shape[axis] * inner;
      for (let o = 0; o < outer; o++) out.set(x.data.subarray(o * part, (o + 1) * part), o * row + at);
      at += part;
    }
    return out;
  },
};

export const pad: Primitive<"pad"> = {
  shape(inputs, { before, after }) {
    expectInputs("pad", inputs, 1);
    const from = inputs[0].shape;
    if (
      before.length !== from.length ||
      after.length !== from.length ||
      [...before, ...after].some((n) => !(n >= 0))
    ) {
      throw new Error(`pad of [${from}] by [${before}] and [${after}]`);
    }
    return { shape: from.map((n, i) => n + before[i] + after[i]), dtype: inputs[0].dtype };
  },
  vjp(builder, { inputs: [x], attributes: { before } }, grad) {
    const end = x.shape.map((n, i) => before[i] + n);
    return [builder.op("slice", [grad], { start: before, end, step: before.map(() => 1) })];
  },
  evaluate([x], { before }, shape) {
    const out = new Float64Array(sizeOf(shape));
    const strides = stridesOf(shape);
    const base = before.reduce((sum, b, i) => sum + b * strides[i], 0);
    walk(x.shape, strides, base, (at, offset) => {
      out[offset] = x.data[at];
    });
    return out;
  },
};
