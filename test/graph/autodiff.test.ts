import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradients, vjp } from "../../src/graph/autodiff.ts";
import type { GraphNode } from "../../src/graph/graph.ts";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { eliminateDead, simplify } from "../../src/graph/passes/simplify.ts";
import { gradientError, randomArray, type Feeds } from "./random-graph.ts";

/** LayerNorm, two-head attention and a GELU layer with residuals, on [2, 3, 4]. */
function block(b: Builder, t: Record<string, Tensor>): Tensor {
  const norm = (x: Tensor) => {
    const centred = b.sub(x, b.mean(x, [2], true));
    const variance = b.mean(b.mul(centred, centred), [2], true);
    return b.mul(b.div(centred, b.sqrt(b.add(variance, 1e-2))), t.gamma);
  };
  const heads = (x: Tensor) => b.transpose(b.reshape(x, [2, 3, 2, 2]), [0, 2, 1, 3]);
  const qkv = b.matmul(norm(t.x), t.wqkv, false, true);
  const [q, k, v] = [0, 4, 8].map((at) => heads(b.slice(qkv, 2, at, at + 4)));
  const scores = b.add(
    b.mul(b.matmul(q, k, false, true), 0.7),
    b.gather(t.bias, b.constant([0, 1, 2, 1, 0, 1, 2, 1, 0], [3, 3], "i32"), 0),
  );
  const joined = b.reshape(b.transpose(b.matmul(b.softmax(scores), v), [0, 2, 1, 3]), [2, 3, 4]);
  const x = b.add(t.x, b.mul(joined, t.alpha));
  return b.add(x, b.matmul(b.gelu(b.matmul(norm(x), t.w1, false, true)), t.w2, false, true));
}
const blockFeeds: Feeds = {
  x: randomArray([2, 3, 4], 1, -2, 2),
  gamma: randomArray([4], 2, 0.5, 1.5),
  wqkv: randomArray([12, 4], 3),
  bias: randomArray([3], 4),
  alpha: randomArray([], 5),
  w1: randomArray([6, 4], 6),
  w2: randomArray([4, 6], 7),
};

describe("reverse mode", () => {
  it("a transformer block", () => {
    expect(gradientError(blockFeeds, (b, t) => [block(b, t)])).toBeLessThan(2e-8);
  });
  it("several outputs, shared inputs, inputs used many times", () => {
    const feeds = { x: randomArray([3, 4], 1), y: randomArray([4], 2) };
    const build = (b: Builder, t: Record<string, Tensor>) => {
      const s = b.mul(t.x, t.y);
      return [b.sum(b.mul(s, s), [1]), b.add(s, b.exp(t.y)), b.mean(b.sub(t.x, b.mean(t.x, [0, 1])), [0])];
    };
    expect(gradientError(feeds, build)).toBeLessThan(2e-8);
  });
  it("differentiates its own gradients", () => {
    const feeds = { x: randomArray([3, 4], 1), w: randomArray([2, 4], 2) };
    const build = (b: Builder, t: Record<string, Tensor>) => {
      const y = b.sum(b.softmax(b.tanh(b.matmul(t.x, t.w, false, true))), [0]);
      return gradients(b, b.sum(b.mul(y, b.constant([1, 3], [2])), [0]), [t.x, t.w]);
    };

    expect(gradientError(feeds, build)).toBeLessThan(2e-7);
  });
  it("zeros where nothing flows; constants for stopped tensors", () => {
    const b = new Builder();
    const x = b.input("x", [3]);
    const y = b.input("y", [2]);
    const square = b.mul(x, x);
    const loss = b.sum(b.mul(square, x), [0]);
    const [full, none] = gradients(b, loss, [x, y]);
    const [stopped] = gradients(b, loss, [x], { stop: [square] });
    const graph = b.graph("g", [
      { name: "full", tensor: full },
      { name: "none", tensor: none },
      { name: "stopped", tensor: stopped },
    ]);
    const out = interpret(graph, { x: array64([3], [1, 2, 3]) });
    expect([...out.full.data]).toEqual([3, 12, 27]);
    expect([...out.stopped.data]).toEqual([1, 4, 9]);
    expect([...out.none.data]).toEqual([0, 0]);
    expect(b.nodes[none.id].op).toBe("constant");
  });
  it("differentiates nothing that does not reach wrt, and marks its nodes", () => {
    const b = new Builder();
    b.origin = "layer";
    const x = b.input("data", [8, 4]);
    const w = b.input("w", [4, 4]);
    const y = b.matmul(b.gelu(b.matmul(x, w)), b.exp(b.matmul(x, x, true, false)));
    const before = b.nodes.length;
    gradients(b, b.sum(y, [0, 1]), [w]);
    const live = eliminateDead(b.graph("g", [{ name: "g", tensor: gradients(b, b.sum(y, [0, 1]), [w])[0] }]));
    expect(
      b.nodes
        .slice(before)
        .filter((n) => n.op !== "constant")
        .every((n) => n.origin === "~layer" || n.op === "sum"),
    ).toBe(true);
    // Forward product, exp's product, dgelu and dw: nothing for the data.
    expect(live.nodes.filter((n) => n.op === "matmul").length).toBe(4);
  });
  it("does not materialise the gradient of a mean", () => {
    const b = new Builder();
    const x = b.input("x", [16, 8]);
    const loss = b.sum(b.mul(b.mean(x, [1]), b.constant(3)), [0]);
    const [grad] = gradients(b, b.add(loss, b.sum(b.mul(x, x), [0, 1])), [x]);
    const graph = simplify(b.graph("g", [{ name: "g", tensor: grad }]));
    expect(graph.nodes.some((n) => n.op === "broadcast")).toBe(false);
  });
  it("joins the gradients of slices side by side, in any order, with gaps and overlaps", () => {
    const cases: [number, number][][] = [
      [
        [0, 2],
        [2, 4],
        [4, 6],
      ],
      [
        [4, 6],
        [0, 2],
        [2, 4],
      ],
      [
        [1, 2],
        [4, 6],
      ],
      [
        [0, 4],
        [2, 6],
      ],
      [
        [0, 6],
        [1, 3],
        [3, 4],
      ],
    ];
    cases.forEach((ranges, i) => {
      const build = (b: Builder, t: Record<string, Tensor>) =>
        ranges.map(([from, to], k) => b.sum(b.exp(b.mul(b.slice(t.x, 1, from, to), k + 1)), [1]));
      expect(gradientError({ x: randomArray([2, 6], 1) }, build, ["x"], 12)).toBeLessThan(2e-8);
      const b = new Builder();
      const x = b.input("x", [2, 6]);
      const loss = build(b, { x })
        .map((t) => b.sum(t, [0]))
        .reduce((p, q) => b.add(p, q));
      const graph = simplify(b.graph("g", [{ name: "g", tensor: gradients(b, loss, [x])[0] }]));
      if (i < 3) expect(graph.nodes.some((n) => n.op === "pad")).toBe(false);
    });
  });
  it("refuses seeds and outputs of the wrong shape", () => {
    const b = new Builder();
    const x = b.input("x", [2]);
    expect(() => gradients(b, x, [x])).toThrow("scalar");
    expect(() => vjp(b, [x], [b.constant(1)], [x])).toThrow("seed");
  });
});

describe("passes", () => {
  const graphOf = () => {
    const b = new Builder();
    const t = Object.fromEntries(
      Object.entries(blockFeeds).map(([name, { shape }]) => [name, b.input(name, shape)]),
    );
    const y = block(b, t);
    const grads = gradients(b, b.sum(b.mul(y, y), [0, 1, 2]), Object.values(t));
    return b.graph("g", [{ name: "y", tensor: y }, ...grads.map((tensor, i) => ({ name: `${i}`, tensor }))]);
  };
  it.each([
    ["eliminateDead", eliminateDead],
    ["simplify", simplify],
  ] as const)("%s keeps the meaning and makes a legal, smaller graph", (_, pass) => {
    const before = graphOf();
    const after = pass(before);
    expect(illegalities(before)).toEqual([]);
    expect(illegalities(after)).toEqual([]);
    expect(after.nodes.length).toBeLessThan(before.nodes.length);
    const [x, y] = [interpret(before, blockFeeds), interpret(after, blockFeeds)];
    for (const name of Object.keys(x))
      x[name].data.forEach((v, i) => expect(y[name].data[i]).toBeCloseTo(v, 11));
  });
  it("algebra on random expressions keeps the meaning", () => {
    const step = fc.tuple(
      fc.constantFrom("add", "sub", "mul", "neg", "reshape", "transpose", "scale", "shift"),
      fc.nat(20),
      fc.constantFrom(0, 1, -1, 2, 0.5),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const b = new Builder();
        const made: Tensor[] = [
          b.input("x", [2, 3]),
          b.input("y", [3]),
          b.constant(1),
          b.constant(0, [1, 1]),
        ];
        for (const [op, at, c] of steps) {
          const x = made[at % made.length];
          const y = made[(at * 7 + 3) % made.length];
          if (op === "neg") made.push(b.neg(x));
          else if (op === "reshape")
            made.push(b.reshape(b.reshape(x, [x.shape.reduce((p, q) => p * q, 1)]), x.shape));
          else if (op === "transpose" && x.shape.length === 2)
            made.push(b.transpose(b.transpose(x, [1, 0]), [1, 0]));
          else if (op === "scale") made.push(b.mul(x, c));
          else if (op === "shift") made.push(b.sub(x, c));
          else if (op === "add" || op === "sub" || op === "mul") made.push(b[op](x, y));
        }
        const before = b.graph(
          "g",
          made.map((tensor, i) => ({ name: `${i}`, tensor })),
        );
        const after = simplify(before);
        expect(illegalities(after)).toEqual([]);
        const feeds = { x: randomArray([2, 3], 1), y: randomArray([3], 2) };
        const [p, q] = [interpret(before, feeds), interpret(after, feeds)];
        for (const name of Object.keys(p)) {
          expect(q[name].shape).toEqual(p[name].shape);
          p[name].data.forEach((v, i) =>
            expect(Math.abs(q[name].data[i] - v)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(v))),
          );
        }
      }),
      { numRuns: 100 },
    );
  });
  it("folds, cancels and joins", () => {
    const b = new Builder();
    const x = b.input("x", [4, 6]);
    const y = b.mul(b.neg(b.mul(b.mul(x, 2), 3)), b.div(b.constant(1), b.constant(4)));
    const z = b.add(b.reshape(b.reshape(y, [24]), [6, 4]), b.constant(0));
    const graph = simplify(b.graph("g", [{ name: "z", tensor: z }]));
    expect(graph.nodes.map((n) => n.op)).toEqual(["input", "constant", "mul", "reshape"]);
    expect((graph.nodes[1] as GraphNode<"constant">).attributes.data[0]).toBe(-1.5);
  });
  it("moves a factor through a reshape to the matrix product, and joins none beyond float32's range", () => {
    const b = new Builder();
    const product = b.matmul(b.input("x", [4, 6]), b.input("y", [6, 2]));
    const z = b.mul(b.reshape(product, [8]), 0.5);
    const graph = simplify(b.graph("g", [{ name: "z", tensor: z }]));
    expect(graph.nodes.map((n) => n.op)).toEqual(["input", "input", "matmul", "constant", "mul", "reshape"]);
    const c = new Builder();
    const twice = c.mul(c.mul(c.input("x", []), 1e-30), 1e-30);
    expect(
      simplify(c.graph("g", [{ name: "z", tensor: twice }])).nodes.filter((n) => n.op === "mul").length,
    ).toBe(2);
  });
  it("keeps unused inputs: they are the signature", () => {
    const b = new Builder();
    b.input("unused", [3]);
    expect(simplify(b.graph("g", [{ name: "x", tensor: b.input("x", []) }])).nodes.length).toBe(2);
  });
});

describe("legality", () => {
  it("finds what is wrong", () => {
    const b = new Builder();
    const x = b.input("x", [2, 3]);
    const y = b.exp(x);
    const good = b.graph("g", [{ name: "y", tensor: y }]);
    expect(illegalities(good)).toEqual([]);
    const broken = (change: object) =>
      illegalities({ ...good, nodes: [good.nodes[0], { ...good.nodes[1], ...change }] });
    expect(broken({ inputs: [1] })[0]).toContain("earlier");
    expect(broken({ shape: [3, 2] })[0]).toContain("rule");
    expect(broken({ dtype: "i32" })[0]).toContain("rule");
    expect(broken({ op: "input", attributes: { name: "x" }, inputs: [] })[0]).toContain("repeats");
    expect(broken({ op: "constant", attributes: { data: [NaN], fill: true }, inputs: [] })[0]).toContain(
      "finite",
    );
    expect(illegalities({ ...good, outputs: [{ name: "y", node: 7 }] })[0]).toContain("no node");
  });
});

describe("interpreter", () => {
  it("runs only what outputs need, and says what is missing", () => {
    const b = new Builder();
    const x = b.input("x", [2]);
    b.log(b.input("unused", [3]));
    const graph = b.graph("g", [{ name: "y", tensor: b.exp(x) }]);
    expect(interpret(graph, { x: array64([2], 0) }).y.data).toEqual(new Float64Array([1, 1]));
    expect(() => interpret(graph, {})).toThrow("x is not fed");
    expect(() => interpret(graph, { x: array64([1], 0) })).toThrow("[2]");
  });
});
