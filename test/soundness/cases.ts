/**
 * Counterexamples that a campaign has found, as it printed them: each broke a bound once, or looked as if it did. They are
 * replayed in every run of the tests.
 */
import type { Witness } from "./witness.ts";

export const cases: Readonly<Record<string, Witness>> = {
  "SLL with q so negative that its exponential was 0, and nothing was divided": {
    source: `model M {
  input x: [3]
  output y = x |> SLL(width: 1)
}`,
    phase: "always",
    weightsAre: "free",
    weights: { "sll.weight": [1, 1, 1], "sll.q": [-1e30], "sll.bias": [0] },
    inputs: { x: [0, 0, 0] },
    x: [1, 1, 1],
    y: [2, 2, 2],
    claimed: { kind: "gain", normIn: "l2", normOut: "l2" },
    from: "x",
    to: "sll",
  },
  "convex residual whose skip path doesn't depend on the source, its weight t = 0 in the checker: a bound of 0":
    {
      source: `model M {
  input x: [2]
  output y = x |> Residual(Linear(2), alpha: learned(0.1, shape: [2], in: [0, 1]), form: convex)
}`,
      phase: "always",
      weightsAre: "free",
      weights: { "linear.weight": [0, 0, 0, 0], "linear.bias": [0, 0], "residual.alpha": [1, 1] },
      inputs: { x: [0, 0] },
      x: [0, 0],
      y: [1, 0],
      claimed: { kind: "gain", normIn: "token", normOut: "token" },
      from: "linear",
      to: "residual",
    },
  "scores of 1e14 that differ by 1e-4: rounding, no breach": {
    source: `model M {
  weights { init: spectral, constraint: spectral(0.7) }
  input x: [4, 1] in [-1/2, 3]
  let v1 = Attend(x, x, x, heads: 1, score: distance, position: relative)
  output out = v1
}`,
    phase: "checkpoint",
    weightsAre: "free",
    weights: { "attend.position": [1e14, 1e14, 1e14, 1e14, 1e14, 1e14, 1e14] },
    inputs: { x: [0, 0, 0, 0] },
    x: [-0.5, 1.8600431673657434, -0.4515159299206411, 0.13120438262073822],
    y: [-0.49996999999999997, 1.8600131673657434, -0.45148592992064107, 0.13123438262073825],
    claimed: { kind: "gain", normIn: "linf", normOut: "l2" },
    from: "x",
    to: "attend",
  },
  "a distance of 1e-12 beside numbers of size 1 that cancel: rounding, no breach": {
    source: `model M {
  weights { init: orthogonal, bias: false }
  input ids: [4] in tokens(5)
  let v1 = ids |> Embedding(1)
  let v5 = v1 |> Residual(SLL(width: 1), alpha: 1, form: convex)
  output out = v5
}`,
    phase: "init",
    weightsAre: "free",
    weights: { "embedding.weight": [-1, -1, 1, -1, -1], "sll.weight": [0], "sll.q": [0], "sll.bias": [0] },
    inputs: { ids: [0, 0, 0, 0] },
    x: [0, 0, 0, 0],
    y: [-9.017801333741718e-13, 1.249150820819881e-12, -9.017801333741718e-13, -9.017801333741718e-13],
    claimed: { kind: "gain", normIn: "l2", normOut: "l2" },
    from: "sll",
    to: "residual",
  },
  "what an α of 1 leaves of a skip path of 1e15: rounding, no breach": {
    source: `model M {
  weights { init: spectral }
  input x: [3, 4, 3] in ball(l2, 2)
  let v1 = x |> DepthwiseConv(kernel: 1, stride: 1, padding: 1)
  let v2 = v1 |> Crop(left: 1, right: 0)
  let v3 = v2 |> Residual(Linear(4) |> GELU(form: tanh) |> Linear(3, constraint: l1(1)), alpha: 1, form: convex)
  output out = v3
}`,
    phase: "checkpoint",
    weightsAre: "free",
    weights: {
      "depthwise_conv.weight": [1000000000000000, -1000000000000000, 1000000000000000],
      "depthwise_conv.bias": [0, 0, 0],
      "linear.weight": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      "linear.bias": [0, 0, 0, 0],
      "linear_2.weight": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      "linear_2.bias": [0.00001, -0.005, 3e-8],
    },
    inputs: {
      x: [
        -0.2, 0.2, 0.3, 0.5, -0.7, -0.3, 0.04, 0.5, -0.02, 0.02, 0.2, 0.3, 0.03, 0.1, 0.4, 0.3, 0.8, -0.08,
        0.03, 0.8, 0.04, -0.06, 0.2, 0.6, 0.09, -0.04, -0.07, -0.1, 0.004, -0.2, 0.06, -0.3, 0.5, 0.1, -0.2,
        0.02,
      ],
    },
    x: [],
    y: [],
    claimed: { kind: "range", side: "apart" },
    from: "residual",
    to: "residual",
  },
  "the same behind a table of 1e15": {
    source: `model M {
  weights { init: spectral, bias: false, gamma: learned(0, in: [0, 0]) }
  input ids: [4] in tokens(5)
  let v1 = ids |> Embedding(4)
  let v2 = Attend(v1, (learned(orthogonal, shape: [4, 4], in: [-1, 1]) |> Tanh), v1, heads: 4, score: cosine(tau: learned(2, shape: [4], in: [-1, 3]), eps: 0.1), position: relative, causal: true)
  let v5 = v2 |> Residual(UnitNorm(eps: 0.1, guard: max), alpha: 1, form: convex)
  output out = v5
}`,
    phase: "checkpoint",
    weightsAre: "free",
    weights: {
      "embedding.weight": [
        -1000000000000000, 800000000000000, 200000000000000, 500000000000000, 200000000000000,
        -400000000000000, 2000000000000000, -1000000000000000, 200000000000000, -300000000000000,
        -700000000000000, 800000000000000, 500000000000000, 1000000000000000, -2000000000000000,
        30000000000000, 1000000000000000, -2000000000000000, 2000000000000000, -2000000000000000,
      ],
      "learned.value": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      "attend.tau": [0, 0, 0, 0],
      "attend.position": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
    inputs: { ids: [0, 0, 0, 0] },
    x: [],
    y: [],
    claimed: { kind: "range", side: "token" },
    from: "residual",
    to: "residual",
  },
};
