import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { vjp } from "../../src/graph/autodiff.ts";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import type { Op } from "../../src/graph/graph.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { erf } from "../../src/graph/primitives/erf.ts";
import { primitives } from "../../src/graph/primitives/registry.ts";
import { gradientError, randomArray, type Feeds } from "./random-graph.ts";

const tolerance = 2e-8;
const covered = new Set<Op>();

/** One primitive against central differences. */
function check(
  op: Op,
  feeds: Feeds,
  build: (b: Builder, t: Record<string, Tensor>) => Tensor,
  wrt?: string[],
): void {
  covered.add(op);
  expect(gradientError(feeds, (b, t) => [build(b, t)], wrt)).toBeLessThan(tolerance);
}

/** Two shapes that broadcast together. */
const broadcastPair = fc
  .array(fc.record({ n: fc.integer({ min: 1, max: 4 }), a: fc.boolean(), b: fc.boolean() }), {
    minLength: 0,
    maxLength: 4,
  })
  .chain((axes) =>
    fc.record({
      a: fc.constant(axes.map((x) => (x.a ? x.n : 1))),
      b: fc.constant(axes.map((x) => (x.b ? x.n : 1))),
      dropA: fc.nat({ max: axes.length }),
      dropB: fc.nat({ max: axes.length }),
    }),
  )
  .map(({ a, b, dropA, dropB }) => ({ a: a.slice(dropA), b: b.slice(dropB) }));

describe("elementwise operations with broadcasting", () => {
  const binary = ["add", "sub", "mul", "div", "maximum", "minimum"] as const;
  it.each(binary)("%s", (op) => {
    fc.assert(
      fc.property(broadcastPair, fc.integer({ min: 1, max: 1e6 }), (shapes, seed) => {
        const feeds = {
          x: randomArray(shapes.a, seed, 0.5, 2),
          y: randomArray(shapes.b, seed + 1, -2, -0.5),
        };
        if (op === "maximum" || op === "minimum") feeds.y = randomArray(shapes.b, seed + 1, 0.5, 2);
        check(op, feeds, (b, t) => b[op](t.x, t.y));
      }),
      { numRuns: 25 },
    );
  });

  it("select", () => {
    fc.assert(
      fc.property(broadcastPair, broadcastPair, fc.integer({ min: 1, max: 1e6 }), (p, q, seed) => {
        const feeds = {
          x: randomArray(p.a, seed),
          y: randomArray(p.b, seed + 1),
          c: randomArray(q.a.slice(0, 0), seed),
        };
        check("select", feeds, (b, t) => b.select(b.greater(t.c, 0), t.x, t.y), ["x", "y"]);
        check("select", feeds, (b, t) => b.select(b.greater(b.add(t.x, t.y), 0.01), t.x, t.y), ["x", "y"]);
      }),
      { numRuns: 25 },
    );
  });

  const unary: [Op & keyof Builder, number, number][] = [
    ["neg", -2, 2],
    ["exp", -2, 2],
    ["log", 0.2, 3],
    ["sqrt", 0.2, 3],
    ["erf", -2, 2],
    ["tanh", -2, 2],
    ["sigmoid", -3, 3],
    ["abs", 0.1, 2],
  ];
  it.each(unary)("%s", (op, low, high) => {
    const f = (b: Builder) => b[op] as (x: Tensor) => Tensor;
    check(op, { x: randomArray([2, 3, 4], 3, low, high) }, (b, t) => f(b)(t.x));
    check(op, { x: randomArray([3], 4, low, high) }, (b, t) => b.sum(f(b)(b.broadcast(t.x, [2, 3])), [0, 1]));
  });
  it("abs of negative numbers", () =>
    check("abs", { x: randomArray([7], 9, -2, -0.1) }, (b, t) => b.abs(t.x)));
  it.each(["exact", "tanh"] as const)("gelu %s", (form) => {
    check("gelu", { x: randomArray([4, 5], 3, -4, 4) }, (b, t) => b.gelu(t.x, form));
  });
  it("comparisons, sign and floor give no gradient", () => {
    for (const op of ["greater", "equal", "sign", "floor", "cast"] as const) {
      covered.add(op);
      expect(primitives[op].vjp).toBe("none");
    }
    const b = new Builder();
    const x = b.input("x", [3]);
    const graph = b.graph("g", [
      { name: "floor", tensor: b.floor(x) },
      { name: "sign", tensor: b.sign(x) },
      { name: "cast", tensor: b.cast(x, "i32") },
      { name: "greater", tensor: b.greater(x, -1.5) },
    ]);
    const out = interpret(graph, { x: array64([3], [-1.5, 0, 2.5]) });
    expect([...out.floor.data]).toEqual([-2, 0, 2]);
    expect([...out.sign.data]).toEqual([-1, 0, 1]);
    expect([...out.cast.data]).toEqual([-1, 0, 2]);
    expect([...out.greater.data]).toEqual([0, 1, 1]);
  });
  it("the maximum's and the minimum's gradients at a tie are a permutation", () => {
    const feeds = { x: array64([1], [1]), y: array64([1], [1]) };
    const b = new Builder();
    const x = b.input("x", [1]);
    const y = b.input("y", [1]);
    const one = b.constant(1, [1]);
    const node = (out: Tensor) => ({ inputs: [x, y], attributes: {}, output: out });
    const top = primitives.maximum.vjp;
    const low = primitives.minimum.vjp;
    if (top === "none" || low === "none") throw new Error("differentiable");
    const parts = [...top(b, node(b.maximum(x, y)), one), ...low(b, node(b.minimum(x, y)), one)] as Tensor[];
    const out = interpret(
      b.graph(
        "g",
        parts.map((tensor, i) => ({ name: `${i}`, tensor })),
      ),
      feeds,
    );
    expect(Object.values(out).map((v) => v.data[0])).toEqual([0, 1, 1, 0]);
  });
});

describe("reductions", () => {
  const axesOf = fc.subarray([0, 1, 2]);
  it.each(["sum", "max"] as const)("%s", (op) => {
    fc.assert(
      fc.property(axesOf, fc.boolean(), fc.integer({ min: 1, max: 1e6 }), (axes, keep, seed) => {
        check(op, { x: randomArray([2, 3, 4], seed, -9, 9) }, (b, t) => b[op](t.x, axes, keep));
        check(op, { x: randomArray([2, 3, 4], seed, -9, 9) }, (b, t) => b.mul(b[op](t.x, axes, true), t.x));
      }),
      { numRuns: 20 },
    );
  });
  it("mean inside a product keeps small gradients right", () => {
    check("sum", { x: randomArray([3, 4], 1), w: randomArray([4], 2) }, (b, t) =>
      b.sum(b.mul(b.add(t.x, b.mean(t.x, [1], true)), t.w), [0, 1]),
    );
  });
  it("softmax", () => {
    check("softmax", { x: randomArray([2, 3, 5], 1, -3, 3) }, (b, t) => b.softmax(t.x));
    check("softmax", { x: randomArray([5], 1, -3, 3) }, (b, t) => b.sum(b.mul(b.softmax(t.x), t.x), [0]));
  });
});

describe("movement", () => {
  it("reshape, broadcast, transpose", () => {
    check("reshape", { x: randomArray([2, 3, 4], 1) }, (b, t) => b.reshape(t.x, [6, 4]));
    check("broadcast", { x: randomArray([3, 1], 1) }, (b, t) => b.broadcast(t.x, [2, 3, 4]));
    check("transpose", { x: randomArray([2, 3, 4], 1) }, (b, t) => b.transpose(t.x, [2, 0, 1]));
  });
  it("slice with steps", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.nat(3)),
          {
            minLength: 1,
            maxLength: 3,
          },
        ),
        (axes) => {
          const start = axes.map((a) => a[0]);
          const end = axes.map((a) => a[0] + a[1]);
          const shape = axes.map((a) => a[0] + a[1] + a[3]);
          const step = axes.map((a) => a[2]);
          check("slice", { x: randomArray(shape, 3) }, (b, t) => b.op("slice", [t.x], { start, end, step }));
        },
      ),
      { numRuns: 25 },
    );
  });
  it("concat and pad", () => {
    const feeds = { x: randomArray([2, 3, 4], 1), y: randomArray([2, 1, 4], 2) };
    check("concat", feeds, (b, t) => b.concat([t.x, t.y, t.x], 1));
    check("pad", feeds, (b, t) => b.pad(t.x, [1, 0, 2], [0, 2, 1]));
  });
  it("gather and scatterAdd", () => {
    const feeds = { x: randomArray([3, 4, 2], 1), i: array64([2, 3], [0, 1, 3, 3, 2, 0]) };
    check("gather", feeds, (b, t) => b.gather(t.x, t.i, 1), ["x"]);
    const updates = { u: randomArray([3, 2, 3, 2], 1), i: array64([2, 3], [0, 1, 3, 3, 2, 0]) };
    check("scatterAdd", updates, (b, t) => b.op("scatterAdd", [t.i, t.u], { axis: 1, size: 5 }), ["u"]);
  });
});

describe("matmul", () => {
  it.each([
    [
      [3, 4],
      [4, 2],
    ],
    [
      [2, 3, 4],
      [4, 2],
    ],
    [
      [3, 4],
      [2, 4, 2],
    ],
    [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    [
      [2, 3, 4],
      [2, 4, 2],
    ],
  ])("%j × %j, with all flags", (a, b) => {
    const flip = (s: number[]) => [...s.slice(0, -2), s[s.length - 1], s[s.length - 2]];
    for (const ta of [false, true]) {
      for (const tb of [false, true]) {
        const feeds = { a: randomArray(ta ? flip(a) : a, 1), b: randomArray(tb ? flip(b) : b, 2) };
        check("matmul", feeds, (builder, t) => builder.matmul(t.a, t.b, ta, tb));
      }
    }
  });
  it("Gram matrices: both sides of the gradient in one product", () => {
    for (const shape of [
      [3, 5],
      [4, 2],
    ])
      for (const [ta, tb] of [
        [true, false],
        [false, true],
      ]) {
        const feeds = { a: randomArray(shape, 1) };
        check("matmul", feeds, (builder, t) => builder.matmul(t.a, t.a, ta, tb));
        const b = new Builder();
        const a = b.input("a", shape);
        const y = b.matmul(a, a, ta, tb);
        const before = b.nodes.length;
        vjp(b, [y], [b.input("g", y.shape)], [a]);
        expect(b.nodes.slice(before).filter((n) => n.op === "matmul")).toHaveLength(1);
      }
  });
  it("a linear layer's weight gradient is one two-dimensional product", () => {
    const b = new Builder();
    const x = b.input("x", [8, 5, 3]);
    const w = b.input("w", [4, 3]);
    const before = b.nodes.length;
    const y = b.matmul(x, w, false, true);
    const { vjp: rule } = primitives.matmul;
    if (rule === "none") throw new Error("differentiable");
    const attributes = { transposeA: false, transposeB: true };
    rule(b, { inputs: [x, w], attributes, output: y }, b.input("g", y.shape));
    const products = b.nodes.slice(before + 1).filter((n) => n.op === "matmul");
    expect(products.map((n) => n.shape)).toEqual([
      [8, 5, 3],
      [4, 3],
    ]);
    expect(b.nodes.some((n) => n.op === "sum" || n.op === "transpose")).toBe(false);
  });
  it("agrees with the definition beyond one block", () => {
    const x = randomArray([5, 131], 1);
    const y = randomArray([131, 7], 2);
    const b = new Builder();
    const graph = b.graph("g", [
      { name: "z", tensor: b.matmul(b.input("x", [5, 131]), b.input("y", [131, 7])) },
    ]);
    const { z } = interpret(graph, { x, y });
    let expected = 0;
    for (let k = 0; k < 131; k++) expected += x.data[3 * 131 + k] * y.data[k * 7 + 2];
    expect(z.data[3 * 7 + 2]).toBeCloseTo(expected, 12);
  });
});

describe("convolution", () => {
  const cases = fc.record({
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    padding: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2)),
    groups: fc.constantFrom(1, 2),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  });
  it("conv and its adjoints", () => {
    fc.assert(
      fc.property(cases, ({ kernel: [kh, kw], ...attributes }) => {
        const feeds = {
          x: randomArray([2, 4, 6, 7], 1),
          k: randomArray([6, 4 / attributes.groups, kh, kw], 2),
        };
        check("conv", feeds, (b, t) => b.conv(t.x, t.k, attributes));
        const probe = new Builder();
        const shape = probe.conv(
          probe.input("x", [2, 4, 6, 7]),
          probe.input("k", feeds.k.shape),
          attributes,
        ).shape;
        const dy = randomArray(shape, 3);
        check("convGradInput", { dy, k: feeds.k }, (b, t) =>
          b.op("convGradInput", [t.dy, t.k], { ...attributes, input: [2, 4, 6, 7] }),
        );
        check("convGradKernel", { x: feeds.x, dy }, (b, t) =>
          b.op("convGradKernel", [t.x, t.dy], { ...attributes, kernel: feeds.k.shape }),
        );
      }),
      { numRuns: 15 },
    );
  });
  it("computes a cross-correlation", () => {
    const b = new Builder();
    const x = b.input("x", [1, 1, 3, 3]);
    const k = b.input("k", [1, 1, 2, 2]);
    const y = b.conv(x, k, { stride: [1, 1], padding: [0, 0, 1, 0], dilation: [1, 1], groups: 1 });
    const out = interpret(b.graph("g", [{ name: "y", tensor: y }]), {
      x: array64([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
      k: array64([1, 1, 2, 2], [1, 10, 100, 1000]),
    });
    expect(out.y.shape).toEqual([1, 1, 3, 2]);
    expect([...out.y.data]).toEqual([5421, 6532, 8754, 9865, 87, 98]);
  });
});

describe("erf", () => {
  it.each([
    // Abramowitz & Stegun, table 7.1, and erfc for the tail (mpmath, 20 digits).
    [0.1, 0.1124629160182848922],
    [0.5, 0.52049987781304653768],
    [1, 0.84270079294971486934],
    [2, 0.99532226501895273416],
    [2.5, 0.99959304798255504106],
    [3, 0.99997790950300141456],
  ])("erf(%d)", (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThan(4e-16);
    expect(erf(-x)).toBe(-erf(x));
  });
  it("is continuous where the methods meet", () =>
    expect(erf(2.5 - 1e-12)).toBeCloseTo(erf(2.5 + 1e-12), 14));
});

it("covers every primitive", () => {
  const all = Object.keys(primitives).filter((op) => op !== "input" && op !== "constant");
  expect(all.filter((op) => !covered.has(op as Op))).toEqual([]);
});
