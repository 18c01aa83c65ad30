/** Elementwise operations, with numpy broadcasting of their operands. */
import type { Builder, Tensor } from "../builder.ts";
import type { DType } from "../graph.ts";
import type { Primitive, VjpNode } from "./primitive.ts";
import {
  broadcastShapes,
  broadcastStrides,
  expand,
  expectDType,
  expectInputs,
  reduceTo,
  sameShape,
  sizeOf,
  walk,
} from "./arrays.ts";
import { erf as erfValue } from "./erf.ts";

type BinaryOp = "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greater" | "equal";
type UnaryOp = "neg" | "exp" | "log" | "sqrt" | "erf" | "tanh" | "sigmoid" | "abs" | "sign" | "floor";

type BinaryVjp = (b: Builder, x: Tensor, y: Tensor, out: Tensor, grad: Tensor) => readonly [Tensor, Tensor];

/** Gradients are given in the result's shape (or smaller) and summed down to the operands' shapes here. */
function binary<O extends BinaryOp>(
  op: O,
  f: (x: number, y: number) => number,
  vjp: BinaryVjp | "none",
  types: readonly DType[] = ["f32", "i32"],
  result?: DType,
): Primitive<O> {
  return {
    lazy: true,
    shape(inputs) {
      expectInputs(op, inputs, 2);
      const [x, y] = inputs;
      expectDType(op, x, ...types);
      if (x.dtype !== y.dtype) throw new Error(`${op} of ${x.dtype} and ${y.dtype}`);
      return { shape: broadcastShapes(x.shape, y.shape), dtype: result ?? x.dtype };
    },
    vjp:
      vjp === "none"
        ? "none"
        : (builder, node, grad) => {
            const [x, y] = node.inputs;
            if (x.dtype !== "f32") return [null, null];
            const grads = vjp(builder, x, y, node.output, grad);
            const full = node.output.shape;
            return [reduceTo(builder, grads[0], full, x.shape), reduceTo(builder, grads[1], full, y.shape)];
          },
    evaluate([x, y], _, shape) {
      const out = new Float64Array(sizeOf(shape));
      const xd = x.data;
      const yd = y.data;
      const xFull = sameShape(x.shape, shape);
      const yFull = sameShape(y.shape, shape);
      if (xFull && yFull) for (let i = 0; i < out.length; i++) out[i] = f(xd[i], yd[i]);
      else if (xFull && yd.length === 1) for (let i = 0, c = yd[0]; i < out.length; i++) out[i] = f(xd[i], c);
      else if (yFull && xd.length === 1) for (let i = 0, c = xd[0]; i < out.length; i++) out[i] = f(c, yd[i]);
      else {
        const xs = broadcastStrides(x.shape, shape);
        const ys = broadcastStrides(y.shape, shape);
        walk(shape, xs, 0, (at, offset) => {
          out[at] = xd[offset];
        });
        walk(shape, ys, 0, (at, offset) => {
          out[at] = f(out[at], yd[offset]);
        });
      }
      return out;
    },
  };
}

function unary<O extends UnaryOp>(
  op: O,
  f: (x: number) => number,
  vjp: ((b: Builder, x: Tensor, y: Tensor, grad: Tensor) => Tensor) | "none",
): Primitive<O> {
  return {
    lazy: true,
    shape(inputs) {
      expectInputs(op, inputs, 1);
      expectDType(op, inputs[0], "f32");
      return { shape: inputs[0].shape, dtype: "f32" };
    },
    vjp:
      vjp === "none"
        ? "none"
        : (builder: Builder, node: VjpNode<O>, grad: Tensor) => [
            vjp(builder, node.inputs[0], node.output, grad),
          ],
    evaluate([x]) {
      const out = new Float64Array(x.data.length);
      for (let i = 0; i < out.length; i++) out[i] = f(x.data[i]);
      return out;
    },
  };
}

export const add = binary(
  "add",
  (x, y) => x + y,
  (_, _x, _y, _o, g) => [g, g],
);
export const sub: Primitive<"sub"> = {
  ...binary("sub", (x, y) => x - y, "none"),
  vjp(builder, { inputs, output }, grad) {
    const [x, y] = inputs;
    if (x.dtype !== "f32") return [null, null];
    // Summed first, negated after: the smaller tensor.
    return [
      reduceTo(builder, grad, output.shape, x.shape),
      builder.neg(reduceTo(builder, grad, output.shape, y.shape)),
    ];
  },
};
const product = binary(
  "mul",
  (x, y) => x * y,
  (b, x, y, _, g) => [b.mul(g, y), b.mul(g, x)],
);
export const mul: Primitive<"mul"> = {
  ...product,
  vjp(builder, node, grad) {
    const [x, y] = node.inputs;
    // A square: the factor 2 goes to the gradient, which may be smaller than x.
    if (x.id === y.id && x.dtype === "f32") return [builder.mul(builder.mul(grad, 2), x), null];
    return product.vjp === "none" ? [null, null] : product.vjp(builder, node, grad);
  },
};
export const div: Primitive<"div"> = {
  ...binary("div", (x, y) => x / y, "none", ["f32"]),
  vjp(builder, { inputs, output }, grad) {
    const [x, y] = inputs;
    const overY = builder.div(grad, y);
    const forY = reduceTo(builder, builder.mul(overY, output), output.shape, y.shape);
    return [reduceTo(builder, overY, output.shape, x.shape), builder.neg(forY)];
  },
};

/**
 * Ties: the maximum's gradient goes to the second operand, the minimum's to the first, so that relu'(0) is 0 for
 * maximum(x, 0) and (maximum, minimum) of one pair is always a permutation.
 */
export const maximum = binary(
  "maximum",
  (x, y) => (Number.isNaN(x) || Number.isNaN(y) ? NaN : x > y ? x : y),
  (b, x, y, _, g) => {
    const first = b.greater(x, y);
    return [b.select(first, g, 0), b.select(first, 0, g)];
  },
);
export const minimum = binary(
  "minimum",
  (x, y) => (Number.isNaN(x) || Number.isNaN(y) ? NaN : x > y ? y : x),
  (b, x, y, _, g) => {
    const second = b.greater(x, y);
    return [b.select(second, 0, g), b.select(second, g, 0)];
  },
);
export const greater = binary("greater", (x, y) => (x > y ? 1 : 0), "none", ["f32", "i32"], "bool");
export const equal = binary("equal", (x, y) => (x === y ? 1 : 0), "none", ["f32", "i32"], "bool");

export const select: Primitive<"select"> = {
  lazy: true,
  shape(inputs) {
    expectInputs("select", inputs, 3);
    const [condition, x, y] = inputs;
    expectDType("select", condition, "bool");
    if (x.dtype !== y.dtype) throw new Error(`select of ${x.dtype} and ${y.dtype}`);
    return { shape: broadcastShapes(condition.shape, x.shape, y.shape), dtype: x.dtype };
  },
  vjp(builder, { inputs, output }, grad) {
    const [condition, x, y] = inputs;
    if (output.dtype !== "f32") return [null, null, null];
    return [
      null,
      reduceTo(builder, builder.select(condition, grad, 0), output.shape, x.shape),
      reduceTo(builder, builder.select(condition, 0, grad), output.shape, y.shape),
    ];
  },
  evaluate([condition, x, y], _, shape) {
    const held = expand(condition.data, condition.shape, shape);
    const xs = expand(x.data, x.shape, shape);
    const ys = expand(y.data, y.shape, shape);
    return held.map((yes, i) => (yes !== 0 ? xs[i] : ys[i]));
  },
};

export const neg = unary(
  "neg",
  (x) => -x,
  (b, _x, _y, g) => b.neg(g),
);
export const exp = unary("exp", Math.exp, (b, _x, y, g) => b.mul(g, y));
export const log = unary("log", Math.log, (b, x, _y, g) => b.div(g, x));
export const sqrt = unary("sqrt", Math.sqrt, (b, _x, y, g) => b.div(b.mul(g, 0.5), y));
export const erf = unary("erf", erfValue, (b, x, _y, g) =>
  b.mul(b.mul(g, 2 / Math.sqrt(Math.PI)), b.exp(b.neg(b.mul(x, x)))),
);
export const tanh = unary("tanh", Math.tanh, (b, _x, y, g) => b.mul(g, b.sub(1, b.mul(y, y))));
export const sigmoid = unary(
  "sigmoid",
  (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  (b, _x, y, g) => b.mul(g, b.mul(y, b.sub(1, y))),
);
export const abs = unary("abs", Math.abs, (b, x, _y, g) => b.mul(g, b.sign(x)));
export const sign = unary("sign", Math.sign, "none");
export const floor = unary("floor", Math.floor, "none");

const tanhScale = Math.sqrt(2 / Math.PI);
const tanhCubic = 0.044715;

/** GELU (Hendrycks & Gimpel 2016, arXiv 1606.08415): x·Φ(x), or its tanh approximation. */
export const gelu: Primitive<"gelu"> = {
  lazy: true,
  shape(inputs) {
    expectInputs("gelu", inputs, 1);
    expectDType("gelu", inputs[0], "f32");
    return { shape: inputs[0].shape, dtype: "f32" };
  },
  vjp(b, { inputs: [x], attributes: { form } }, grad) {
    if (form === "exact") {
      // Φ(x) + x·φ(x) = ½·(1 + erf(u) + u·e^(ln(2/√π) − u²)) with u = x/√2: no factor costs a pass of its own, but ½.
      const u = b.mul(x, Math.SQRT1_2);
      const tail = b.mul(u, b.exp(b.sub(Math.log(2 / Math.sqrt(Math.PI)), b.mul(u, u))));
      const twice = b.add(b.add(b.erf(u), tail), 1);
      return [b.mul(b.mul(grad, 0.5), twice)];
    }
    // t = tanh(u), u = s·(x + c·x³): ½·(1 + t) + ½·x·(1 − t²)·s·(1 + 3c·x²)
    const square = b.mul(x, x);
    const t = b.tanh(b.mul(x, b.add(b.mul(square, tanhScale * tanhCubic), tanhScale)));
    const inner = b.mul(x, b.add(b.mul(square, 3 * tanhScale * tanhCubic), tanhScale));
    const twice = b.add(b.add(b.mul(inner, b.sub(1, b.mul(t, t))), t), 1);
    return [b.mul(b.mul(grad, 0.5), twice)];
  },
  evaluate([x], { form }) {
    const f =
      form === "exact"
        ? (v: number) => 0.5 * v * (1 + erfValue(v * Math.SQRT1_2))
        : (v: number) => 0.5 * v * (1 + Math.tanh(tanhScale * (v + tanhCubic * v * v * v)));
    return x.data.map(f);
  },
};

export const cast: Primitive<"cast"> = {
  shape(inputs, { to }) {
    expectInputs("cast", inputs, 1);
    return { shape: inputs[0].shape, dtype: to };
  },
  vjp: "none",
  evaluate([x], { to }) {
    if (to === "f32") return x.data;
    return to === "i32" ? x.data.map(Math.trunc) : x.data.map((v) => (v !== 0 ? 1 : 0));
  },
};
