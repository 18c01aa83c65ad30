/** Blocks: weights used twice, recurrences, fixed points, and one inside of another. */

/** Steps of recurrences, with what they contract by. */
export const blocks = [
  `block Cell(s: [n], u: [m], n: int, k: real = 1/2) -> [n] {
  let a = s |> Linear(n) |> Scale(k)
  let b = u |> Linear(n)
  (a + b) |> Tanh
}`,
  `block Gate(s: [n], u: [m], n: int) -> [n] {
  let g = u |> Linear(n) |> Sigmoid
  (g * (s |> Scale(1/2) |> Tanh)) + (u |> Linear(n))
}`,
  `block Twice(x: [..., d]) -> [..., d] {
  let f = shared(Linear(d) |> Tanh)
  let y = x |> f
  y |> f
}`,
  `block Both(x: [..., d]) -> [..., d] {
  let f = shared(Linear(d))
  (x |> f) - (x |> Tanh |> f)
}`,
  `block Tied(x: [..., d]) -> [..., d] {
  let f = shared(Linear(d, bias: false))
  let y = x |> f
  (y * 1/2) + (((y |> ReLU) + x) |> f)
}`,
  `block Settle(y: [..., d], x: [..., d], k: real = 1/3) -> [..., d] { x + (y |> Linear(d) |> Tanh |> Scale(k)) }`,
  `block Deep(s: [n], u: [m], n: int) -> [n] {
  let a = u |> Linear(n) |> Fixpoint(Settle(k: 1/4), iterations: 2)
  (a + (s |> Scale(1/2))) |> Tanh
}`,
  `block Mix(y: [n, d], x: [n, d]) -> [n, d] {
  x + (Attend(y, y, y, heads: 1, score: cosine(tau: 1/2, eps: 1), values: unit(eps: 1)) |> Scale(1/4))
}`,
  `block Rows(y: [n, d], x: [n, d]) -> [n, d] { x + (y |> Scan(Cell(n: d, k: 1/4)) |> Scale(1/3)) }`,
];
