/** Reading and adding by index. */
import type { Primitive } from "./primitive.ts";
import { expectAxes, expectDType, expectInputs, sizeOf } from "./arrays.ts";

export const gather: Primitive<"gather"> = {
  shape(inputs, { axis }) {
    expectInputs("gather", inputs, 2);
    const [data, indices] = inputs;
    expectDType("gather", indices, "i32");
    expectAxes("gather", [axis], data.shape.length);
    const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
    return { shape, dtype: data.dtype };
  },
  vjp(builder, { inputs: [data, indices], attributes: { axis } }, grad) {
    if (data.dtype !== "f32") return [null, null];
    return [builder.op("scatterAdd", [indices, grad], { axis, size: data.shape[axis] }), null];
  },
  evaluate([data, indices], { axis }, shape) {
    const out = new Float64Array(sizeOf(shape));
    const inner = sizeOf(data.shape.slice(axis + 1));
    const outer = sizeOf(data.shape.slice(0, axis));
    const size = data.shape[axis];
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const index of indices.data) {
        if (!(index >= 0 && index < size)) throw new Error(`gather: index ${index} of ${size}`);
        const from = (o * size + index) * inner;
        for (let i = 0; i < inner; i++) out[at++] = data.data[from + i];
      }
    }
    return out;
  },
};

export const scatterAdd: Primitive<"scatterAdd"> = {
  shape(inputs, { axis, size }) {
    expectInputs("scatterAdd", inputs, 2);
    const [indices, updates] = inputs;
    expectDType("scatterAdd", indices, "i32");
    const rank = indices.shape.length;
    const middle = updates.shape.slice(axis, axis + rank);
    if (middle.length !== rank || middle.some((n, i) => n !== indices.shape[i])) {
      throw new Error(`scatterAdd of [${updates.shape}] by indices [${indices.shape}] along axis ${axis}`);
    }
    const shape = [...updates.shape.slice(0, axis), size, ...updates.shape.slice(axis + rank)];
    return { shape, dtype: updates.dtype };
  },
  vjp: (builder, { inputs: [indices], attributes: { axis } }, grad) => [
    null,
    builder.gather(grad, indices, axis),
  ],
  evaluate([indices, updates], { axis, size }, shape) {
    const out = new Float64Array(sizeOf(shape));
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const index of indices.data) {
        if (!(index >= 0 && index < size)) throw new Error(`scatterAdd: index ${index} of ${size}`);
        const to = (o * size + index) * inner;
        for (let i = 0; i < inner; i++) out[to + i] += updates.data[at++];
      }
    }
    return out;
  },
};
