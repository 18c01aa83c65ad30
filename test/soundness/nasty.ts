/** Sources where rules meet that are easily got wrong together: masks, ties, parts of one value, borders. */
const policy = "weights { init: spectral, constraint: frobenius(2), bias: true }";
export const nasty: Readonly<Record<string, string>> = {
  "one query against a sequence": `model M { ${policy}
  input x: [4] in [-1, 1]
  input k: [3, 4] in [-1, 1]
  output y = Attend(x, k, k, heads: 2, score: dot) }`,
  "a map against a sequence": `model M { ${policy}
  input x: [2, 3, 4] in ball(token, 2)
  input k: [5, 4] in ball(token, 2)
  output y = Attend(x, k, k, heads: 1, score: distance) }`,
  "shifted windows, tied": `model M { ${policy}
  input x: [6, 6, 4] in ball(token, 3)
  output y = Attend(x, x, x, heads: 2, score: distance, over: windows(3, shift: 1)) }`,
  "one shifted window": `model M { ${policy}
  input x: [4, 4, 4]
  output y = Attend(x, x, x, heads: 4, score: cosine(tau: 3, eps: 1/4), values: unit(nu: 1, eps: 1/2), over: windows(4, shift: 2), position: relative) }`,
  "tied and causal": `model M { ${policy}
  input x: [12, 2]
  output y = Attend(x, x, x, heads: 1, score: distance(scale: 2), causal: true) }`,
  "tied, many tokens": `model M { ${policy}
  input x: [24, 2]
  output y = Attend(x, x, x, heads: 2, score: distance(scale: 1/2)) }`,
  "tied keys, values of their own": `model M { ${policy}
  input x: [10, 2] in ball(token, 2)
  let v = x |> Linear(2)
  output y = Attend(x, x, v, heads: 1, score: distance(scale: 3)) }`,
  "stripes by halves": `model M { ${policy}
  input x: [4, 4, 4] in [0, 1]
  let [a, b] = x |> Split(2)
  let h = Attend(a, a, a, heads: 1, score: cosine(tau: 2, eps: 1/4), over: stripes(1, direction: horizontal))
  let v = Attend(b, b, b, heads: 1, score: cosine(tau: 2, eps: 1/4), over: stripes(2, direction: vertical), local: DepthwiseConv(kernel: 3))
  output y = Concat(h, v) }`,
  "cross-shaped attention of one projection": `model M { ${policy}
  input x: [4, 4, 4]
  let [q, k, v] = x |> Linear(12) |> Split(3)
  let [q1, q2] = q |> Split(2)
  let [k1, k2] = k |> Split(2)
  let [v1, v2] = v |> Split(2)
  let down = Attend(q1, k1, v1, heads: 1, score: cosine(tau: 4, eps: 1/4), values: unit(eps: 1/4), over: stripes(1, vertical), local: DepthwiseConv(3))
  let across = Attend(q2, k2, v2, heads: 2, score: cosine(tau: 4, eps: 1/4), values: unit(eps: 1/4), over: stripes(2, horizontal), local: DepthwiseConv(3))
  output y = Concat(down, across) |> Linear(4) }`,
  "shifted windows behind a norm": `model M { ${policy}
  input x: [6, 6, 4] in [-1, 1]
  let [q, k, v] = x |> LayerNorm(eps: 1/4) |> Linear(12) |> Split(3)
  output y = x + Attend(q, k, v, heads: 2, score: dot, over: windows(3, shift: 1), position: relative) }`,
  "a stem that overlaps, and a merging": `model M { ${policy}
  input x: [17, 15, 2] in [0, 1]
  output y = x |> Conv(4, kernel: 7, stride: 4, padding: 2) |> CenterNorm |> Conv(6, kernel: 3, stride: 2)
  output z = x |> Conv(5, kernel: 3, stride: 2) |> Conv(5, kernel: 2, stride: 2, padding: 0) }`,
  "a gated unit of one matrix": `model M { ${policy}
  input x: [3, 4] in [-2, 2]
  let [a, b] = x |> Linear(8) |> Split(2)
  output y = (a |> CenterNorm) * (b |> GELU) }`,
  "parts of parts": `model M { ${policy}
  input x: [3, 8] in [-2, 2]
  let [a, b] = x |> Split(2)
  let [c, d] = a |> Split(2)
  output y = Concat(c |> Tanh, b |> LayerNorm(eps: 1), d |> Linear(4)) 
  output z = (c * d) }`,
  "a part that mixes tokens beside one that does not": `model M { ${policy}
  input x: [3, 8] in [-2, 2]
  let [a, b] = x |> Split(2)
  output y = Concat(Attend(a, a, a, heads: 1, score: dot), b |> Linear(6) |> Flatten(tokens)) }`,
  "a fixed point of attention": `block S(y: [n, d], x: [n, d]) -> [n, d] { x + (Attend(y, y, y, heads: 2, score: cosine(tau: 1/2, eps: 1), values: unit(eps: 1)) |> Scale(1/4)) }
model M { ${policy}
  input x: [3, 4]
  output y = x |> Fixpoint(S, iterations: 5, damping: 1/2) }`,
  "reflected padding and dilation": `model M { ${policy}
  input x: [7, 5, 2] in [-1, 1]
  output y = x |> Pad(left: 2, right: 1, top: 3, bottom: 2, mode: reflect) |> Conv(width: 3, kernel: 3, stride: 2, padding: 0, dilation: 2) }`,
  "depthwise with multiplier, stride and dilation": `model M { weights { init: spectral, constraint: unit_rows, bias: false }
  input x: [9, 2]
  output y = x |> DepthwiseConv(kernel: 4, stride: 2, dilation: 2, padding: 3, multiplier: 3) }`,
  "pools at borders": `model M { input x: [5, 4, 2] in [-1, 1]
  output y = x |> AveragePool(kernel: 3, stride: 2, padding: 1, divisor: inside)
  output z = x |> MaxPool(kernel: 3, stride: 1, padding: 1) |> AveragePool(kernel: 2, stride: 1) }`,
  "rotary and causal": `model M { ${policy}
  input x: [5, 4] in ball(token, 1)
  output y = Attend(x, x, x, heads: 1, score: dot(scale: 2), position: rotary, causal: true) }`,
};
