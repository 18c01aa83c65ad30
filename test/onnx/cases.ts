/** For every primitive a family of small graphs, drawn by fast-check, with values on which float32 is well conditioned. */
import * as fc from "fast-check";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import type { DType, Dims, Graph, Op } from "../../src/graph/graph.ts";
import type { EmittedOp } from "../../src/targets/onnx/emit/table.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";

type Gen = fc.GeneratorValue;

export interface Drawn {
  readonly graph: Graph;
  readonly feeds: Record<string, HostTensor>;
}

/** Draws sizes, and makes graph inputs together with their values. */
export class Draw {
  readonly builder = new Builder();
  readonly feeds: Record<string, HostTensor> = {};
  private readonly g: Gen;

  constructor(g: Gen) {
    this.g = g;
  }
  int(min: number, max: number): number {
    return this.g(fc.integer, { min, max });
  }
  flag(): boolean {
    return this.g(fc.boolean);
  }
  dims(minRank: number, maxRank: number, max = 5): number[] {
    return Array.from({ length: this.int(minRank, maxRank) }, () => this.int(1, max));
  }
  input(shape: Dims, low = -2, high = 2): Tensor {
    return this.feed(
      "f32",
      shape,
      Float32Array.from(this.values(shape), (u) => low + u * (high - low)),
    );
  }
  ints(shape: Dims, low: number, high: number): Tensor {
    return this.feed(
      "i32",
      shape,
      Int32Array.from(this.values(shape), (u) => Math.min(high, low + Math.floor(u * (high - low + 1)))),
    );
  }
  bools(shape: Dims): Tensor {
    return this.feed(
      "bool",
      shape,
      Uint8Array.from(this.values(shape), (u) => (u < 0.5 ? 0 : 1)),
    );
  }
  /** Dims that broadcast to `shape`: some axes 1, some leading ones left out. */
  part(shape: Dims): number[] {
    const held = shape.map((n) => (this.int(0, 3) === 0 ? 1 : n));
    return held.slice(this.int(0, held.length));
  }
  private values(shape: Dims): number[] {
    const size = shape.reduce((a, b) => a * b, 1);
    let state = this.int(1, 0x7ffffffe);
    return Array.from({ length: size }, () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff);
  }
  private feed(dtype: DType, dims: Dims, data: HostTensor["data"]): Tensor {
    const name = `x${Object.keys(this.feeds).length}`;
    this.feeds[name] = { dtype, dims, data };
    return this.builder.input(name, dims, dtype);
  }
}

const unary =
  (
    op: "neg" | "exp" | "erf" | "tanh" | "sigmoid" | "abs" | "sign" | "floor" | "log" | "sqrt",
    low = -2,
    high = 2,
  ) =>
  (d: Draw): Tensor =>
    d.builder.op(op, [d.input(d.dims(0, 4), low, high)], {});

const binary =
  (op: "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greater", low = -2, high = 2) =>
  (d: Draw): Tensor => {
    const shape = d.dims(0, 4);
    const [a, b] = [d.input(shape), d.input(d.part(shape), low, high)];
    return d.builder.op(op, d.flag() ? [a, b] : [d.input(shape), d.input(shape, low, high)], {});
  };

interface ConvCase {
  readonly x: number[];
  readonly kernel: number[];
  readonly attributes: {
    stride: [number, number];
    padding: [number, number, number, number];
    dilation: [number, number];
    groups: number;
  };
}

/** Sizes for which every window lies inside the padded image. */
function convCase(d: Draw): ConvCase {
  const groups = d.int(1, 3);
  const depthwise = d.flag();
  const [cg, og] = depthwise ? [1, 1] : [d.int(1, 3), d.int(1, 3)];
  const kernel = [d.int(1, 3), d.int(1, 3)];
  const dilation: [number, number] = [d.int(1, 2), d.int(1, 2)];
  const stride: [number, number] = [d.int(1, 3), d.int(1, 3)];
  const padding: [number, number, number, number] = [d.int(0, 2), d.int(0, 2), d.int(0, 2), d.int(0, 2)];
  const size = kernel.map((k, i) => (k - 1) * dilation[i] + 1 + d.int(0, 6));
  return {
    x: [d.int(1, 3), cg * groups, size[0], size[1]],
    kernel: [og * groups, cg, kernel[0], kernel[1]],
    attributes: { stride, padding, dilation, groups },
  };
}

function convOutput({ x, kernel, attributes: { stride, padding, dilation } }: ConvCase): number[] {
  const out = [0, 1].map(
    (i) =>
      Math.floor(
        (x[2 + i] + padding[i] + padding[i + 2] - (kernel[2 + i] - 1) * dilation[i] - 1) / stride[i],
      ) + 1,
  );
  return [x[0], kernel[0], out[0], out[1]];
}

function someAxes(d: Draw, rank: number): number[] {
  return Array.from({ length: rank }, (_, i) => i).filter(() => d.flag());
}

export const cases: { readonly [O in EmittedOp]: (d: Draw) => Tensor } = {
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div", 0.5, 3),
  maximum: binary("maximum"),
  minimum: binary("minimum"),
  greater: binary("greater"),
  equal: (d) => {
    const shape = d.dims(0, 3);
    return d.builder.equal(d.ints(shape, 0, 2), d.ints(d.part(shape), 0, 2));
  },
  select: (d) => {
    const shape = d.dims(0, 3);
    const condition = d.bools(d.part(shape));
    const kind = d.int(0, 1);
    if (kind === 0) return d.builder.select(condition, d.input(shape), d.input(d.part(shape)));
    return d.builder.select(condition, d.ints(shape, -5, 5), d.ints(d.part(shape), -5, 5));
  },
  neg: unary("neg"),
  exp: unary("exp"),
  log: unary("log", 1.5, 9),
  sqrt: unary("sqrt", 0.1, 4),
  erf: unary("erf"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  abs: unary("abs"),
  sign: unary("sign"),
  floor: unary("floor"),
  // Further left x·Φ(x) is a cancellation: any float32 erf loses its digits there.
  gelu: (d) => d.builder.gelu(d.input(d.dims(0, 4), -2, 4), d.flag() ? "exact" : "tanh"),
  cast: (d) => {
    const shape = d.dims(0, 3);
    const kind = d.int(0, 3);
    if (kind === 0) return d.builder.cast(d.ints(shape, -5, 5), "f32");
    if (kind === 1) return d.builder.cast(d.bools(shape), "f32");
    if (kind === 2) return d.builder.cast(d.bools(shape), "i32");
    return d.builder.cast(d.input(shape, 0, 5), "i32");
  },
  sum: (d) => {
    const x = d.input(d.dims(0, 4), 0.1, 2);
    return d.builder.sum(x, someAxes(d, x.shape.length), d.flag());
  },
  max: (d) => {
    const x = d.input(d.dims(0, 4));
    return d.builder.max(x, someAxes(d, x.shape.length), d.flag());
  },
  softmax: (d) => d.builder.softmax(d.input(d.dims(1, 4, 8), -6, 6)),
  reshape: (d) => {
    const shape = d.dims(0, 4);
    return d.builder.reshape(d.input(shape), [1, ...[...shape].reverse()]);
  },
  broadcast: (d) => {
    const shape = d.dims(0, 4);
    return d.builder.op("broadcast", [d.input(d.part(shape))], { shape });
  },
  transpose: (d) => {
    const shape = d.dims(1, 5);
    const order = shape.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = d.int(0, i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return d.builder.op("transpose", [d.input(shape)], { order });
  },
  slice: (d) => {
    const shape = d.dims(1, 4, 7);
    const start = shape.map((n) => d.int(0, n - 1));
    const end = shape.map((n, i) => d.int(start[i] + 1, n));
    return d.builder.op("slice", [d.input(shape)], { start, end, step: shape.map(() => d.int(1, 3)) });
  },
  concat: (d) => {
    const shape = d.dims(1, 4);
    const axis = d.int(0, shape.length - 1);
    const part = () => d.input(shape.map((n, i) => (i === axis ? d.int(1, 4) : n)));
    return d.builder.op("concat", Array.from({ length: d.int(1, 3) }, part), { axis });
  },
  pad: (d) => {
    const shape = d.dims(1, 4);
    return d.builder.pad(
      d.input(shape),
      shape.map(() => d.int(0, 2)),
      shape.map(() => d.int(0, 2)),
    );
  },
  gather: (d) => {
    const shape = d.dims(1, 3);
    const axis = d.int(0, shape.length - 1);
    return d.builder.gather(d.input(shape), d.ints(d.dims(0, 2), 0, shape[axis] - 1), axis);
  },
  scatterAdd: (d) => {
    const [before, indices, after] = [d.dims(0, 2, 3), d.dims(0, 2, 4), d.dims(0, 2, 3)];
    const size = d.int(1, 4);
    return d.builder.op(
      "scatterAdd",
      [d.ints(indices, 0, size - 1), d.input([...before, ...indices, ...after], 0.1, 2)],
      {
        axis: before.length,
        size,
      },
    );
  },
  matmul: (d) => {
    const [m, k, n] = [d.int(1, 6), d.int(1, 6), d.int(1, 6)];
    const [ta, tb] = [d.flag(), d.flag()];
    const lead = d.dims(0, 2, 3);
    const side = (rows: number, columns: number, swap: boolean) =>
      d.input([...d.part(lead), ...(swap ? [columns, rows] : [rows, columns])], 0.1, 2);
    return d.builder.matmul(side(m, k, ta), side(k, n, tb), ta, tb);
  },
  conv: (d) => {
    const { x, kernel, attributes } = convCase(d);
    return d.builder.conv(d.input(x, 0.1, 2), d.input(kernel, 0.1, 2), attributes);
  },
  convGradInput: (d) => {
    const c = convCase(d);
    return d.builder.op("convGradInput", [d.input(convOutput(c), 0.1, 2), d.input(c.kernel, 0.1, 2)], {
      ...c.attributes,
      input: c.x,
    });
  },
  convGradKernel: (d) => {
    const c = convCase(d);
    return d.builder.op("convGradKernel", [d.input(c.x, 0.1, 2), d.input(convOutput(c), 0.1, 2)], {
      ...c.attributes,
      kernel: c.kernel,
    });
  },
};

/** A drawn graph of one primitive with its feeds. */
export function drawCase(op: Op, g: Gen): Drawn {
  const d = new Draw(g);
  const result = cases[op as EmittedOp](d);
  return { graph: d.builder.graph(op, [{ name: "y", tensor: result }]), feeds: d.feeds };
}
