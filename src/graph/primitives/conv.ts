/** Two-dimensional convolution (cross-correlation) with zero padding, and its two adjoints. */
import type { ConvAttributes, Dims } from "../graph.ts";
import type { Primitive } from "./primitive.ts";
import { expectDType, expectInputs, sameShape, sizeOf } from "./arrays.ts";

/** Length of the result along one axis. */
function outputLength(
  n: number,
  kernel: number,
  before: number,
  after: number,
  stride: number,
  dilation: number,
) {
  return Math.floor((n + before + after - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** Shape of conv(x, kernel); throws where they don't fit. */
export function convShape(
  x: Dims,
  kernel: Dims,
  { stride, padding, dilation, groups }: ConvAttributes,
): number[] {
  const text = `conv of [${x}] with kernel [${kernel}] in ${groups} groups`;
  if (x.length !== 4 || kernel.length !== 4) throw new Error(text);
  if (kernel[0] % groups !== 0 || kernel[1] * groups !== x[1]) throw new Error(text);
  const h = outputLength(x[2], kernel[2], padding[0], padding[2], stride[0], dilation[0]);
  const w = outputLength(x[3], kernel[3], padding[1], padding[3], stride[1], dilation[1]);
  if (!(h >= 1 && w >= 1)) throw new Error(`${text}: the kernel is larger than the padded map`);
  return [x[0], kernel[0], h, w];
}

/**
 * Visits every (output row, input row) pair that one kernel tap joins: for each sample, group, output and input
 * channel, tap and row, the range of output columns whose input column lies inside the map.
 */
function forEachRow(
  x: Dims,
  kernel: Dims,
  out: Dims,
  attributes: ConvAttributes,
  visit: (kernelAt: number, outAt: number, inAt: number, count: number) => void,
): void {
  const { stride, padding, dilation, groups } = attributes;
  const [samples, channels, height, width] = x;
  const [outputs, perGroup, kh, kw] = kernel;
  const [, , oh, ow] = out;
  const outPerGroup = outputs / groups;
  for (let s = 0; s < samples; s++) {
    for (let o = 0; o < outputs; o++) {
      const firstChannel = Math.floor(o / outPerGroup) * perGroup;
      const outPlane = (s * outputs + o) * oh * ow;
      for (let c = 0; c < perGroup; c++) {
        const inPlane = (s * channels + firstChannel + c) * height * width;
        for (let ky = 0; ky < kh; ky++) {
          for (let kx = 0; kx < kw; kx++) {
            const kernelAt = ((o * perGroup + c) * kh + ky) * kw + kx;
            const shift = kx * dilation[1] - padding[1];
            // Output columns j with 0 ≤ j·stride + shift < width.
            const from = Math.max(0, Math.ceil(-shift / stride[1]));
            const to = Math.min(ow - 1, Math.floor((width - 1 - shift) / stride[1]));
            if (to < from) continue;
            for (let i = 0; i < oh; i++) {
              const y = i * stride[0] + ky * dilation[0] - padding[0];
              if (y < 0 || y >= height) continue;
              visit(
                kernelAt,
                outPlane + i * ow + from,
                inPlane + y * width + from * stride[1] + shift,
                to - from + 1,
              );
            }
          }
        }
      }
    }
  }
}

export const conv: Primitive<"conv"> = {
  shape(inputs, attributes) {
    expectInputs("conv", inputs, 2);
    for (const input of inputs) expectDType("conv", input, "f32");
    return { shape: convShape(inputs[0].shape, inputs[1].shape, attributes), dtype: "f32" };
  },
  vjp(builder, { inputs: [x, kernel], attributes }, grad) {
    return [
      builder.op("convGradInput", [grad, kernel], { ...attributes, input: x.shape }),
      builder.op("convGradKernel", [x, grad], { ...attributes, kernel: kernel.shape }),
    ];
  },
  evaluate([x, kernel], attributes, shape) {
    const out = new Float64Array(sizeOf(shape));
    const step = attributes.stride[1];
    forEachRow(x.shape, kernel.shape, shape, attributes, (kernelAt, outAt, inAt, count) => {
      const k = kernel.data[kernelAt];
      for (let j = 0, from = inAt; j < count; j++, from += step) out[outAt + j] += k * x.data[from];
    });
    return out;
  },
};

export const convGradInput: Primitive<"convGradInput"> = {
  shape(inputs, attributes) {
    expectInputs("convGradInput", inputs, 2);
    const [grad, kernel] = inputs;
    const expected = convShape(attributes.input, kernel.shape, attributes);
    if (!sameShape(grad.shape, expected))
      throw new Error(`convGradInput: [${grad.shape}], not [${expected}]`);
    return { shape: attributes.input, dtype: "f32" };
  },
  vjp(builder, { inputs: [dy, kernel], attributes }, grad) {
    const plain = plainAttributes(attributes);
    return [
      builder.conv(grad, kernel, plain),
      builder.op("convGradKernel", [grad, dy], { ...plain, kernel: kernel.shape }),
    ];
  },
  evaluate([dy, kernel], attributes, shape) {
    const out = new Float64Array(sizeOf(shape));
    const step = attributes.stride[1];
    forEachRow(shape, kernel.shape, dy.shape, attributes, (kernelAt, outAt, inAt, count) => {
      const k = kernel.data[kernelAt];
      for (let j = 0, to = inAt; j < count; j++, to += step) out[to] += k * dy.data[outAt + j];
    });
    return out;
  },
};

export const convGradKernel: Primitive<"convGradKernel"> = {
  shape(inputs, attributes) {
    expectInputs("convGradKernel", inputs, 2);
    const [x, grad] = inputs;
    const expected = convShape(x.shape, attributes.kernel, attributes);
    if (!sameShape(grad.shape, expected))
      throw new Error(`convGradKernel: [${grad.shape}], not [${expected}]`);
    return { shape: attributes.kernel, dtype: "f32" };
  },
  vjp(builder, { inputs: [x, dy], attributes }, grad) {
    const plain = plainAttributes(attributes);
    return [
      builder.op("convGradInput", [dy, grad], { ...plain, input: x.shape }),
      builder.conv(x, grad, plain),
    ];
  },
  evaluate([x, dy], attributes, shape) {
    const out = new Float64Array(sizeOf(shape));
    const step = attributes.stride[1];
    forEachRow(x.shape, shape, dy.shape, attributes, (kernelAt, outAt, inAt, count) => {
      let total = 0;
      for (let j = 0, from = inAt; j < count; j++, from += step) total += x.data[from] * dy.data[outAt + j];
      out[kernelAt] += total;
    });
    return out;
  },
};

function plainAttributes({ stride, padding, dilation, groups }: ConvAttributes): ConvAttributes {
  return { stride, padding, dilation, groups };
}
