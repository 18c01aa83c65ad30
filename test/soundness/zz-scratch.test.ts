import { test } from "vitest";
import { elaborate } from "../elaborate/host.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { verdictOf } from "../../src/gain/claims.ts";
const tries: Record<string,string> = {
 clampInit: `model M { input x: [3, 4] in [0, 1]
  output y = x |> Scale(learned(trunc_normal(0.02), shape: [4], in: [1, 2]))
  certify at init: gain(x -> y) <= 0.05 }`,
 clampValue: `model M { input x: [3, 4] in [0, 1]
  output y = x + learned(trunc_normal(0.02), shape: [3, 4], in: [1, 2])
  certify at init: radius(y, linf) <= 1.05 }`,
 margin: `model M { weights { init: spectral }
  input x: [4] in [0, 1]
  output y = x |> Linear(3)
  certify at init: margin(y -> y) <= 0
  certify at init: gain(y -> x) <= 0 }`,
 tap: `model M { weights { init: spectral, bias: false }
  input x: [8] in [0, 1]
  let p = learned(trunc_normal(0.02), shape: [8]) |> Tanh
  let s = x + p
  let [a, b] = s |> Split(2)
  output y = Concat(a + (p |> Linear(4)), b)
  certify at init: gain(p -> y) <= 1 }`,
 tap2: `model M { weights { init: spectral, bias: false }
  input x: [8] in [0, 1]
  let s = learned(trunc_normal(0.02), shape: [8]) |> Scale(1)
  let [a, b] = s |> Split(2)
  output y = Concat(a + (s |> Linear(4)), b + (s |> Linear(4)))
  output z = x
  certify at init: gain(s -> y) <= 2 }`,
 point: `model M { input x: [4] in [0, 1]
  output y = x |> Scale(learned(0.1, in: [0.1, 0.1]))
  certify always: gain(x -> y) <= 0.1 }`,
 huge: `model M { input x: [4] in [0, 1]
  output y = x |> Scale(learned(1, in: [1e39, 1e40]))
  certify always: gain(x -> y) <= 1e400 }`,
 eps0: `model M { weights {init: spectral} 
  input x: [4] in [0, 1]
  output y = x |> LayerNorm(eps: 0)
  certify at init: radius(y, linf) <= 2 }`,
 eps0r: `model M { input x: [4] in [0, 1]
  output y = x |> RMSNorm(eps: 0)
  certify at init: radius(y, linf) <= 2 }`,
 tinyeps: `model M { input x: [4] in [0, 1]
  output y = x |> RMSNorm(eps: 1e-60)
  certify at init: radius(y, linf) <= 2 }`,
 ballzero: `model M { input x: [4] in ball(l2, 0)
  output y = x |> RMSNorm(eps: 0)
  certify at init: radius(y, linf) <= 2 }`,
 ballinf: `model M { input x: [4] in [-1e400, 1e400]
  output y = x |> Tanh
  certify at init: radius(x, linf) <= 2e400
  certify at init: radius(y, linf) <= 1 }`,
 self: `model M { input x: [4] in [0, 1]
  output y = x
  certify at init: gain(x -> y) <= 1 }`,
};
test("t", () => {
 for (const [name, source] of Object.entries(tries)) {
  const r = elaborate(source);
  console.log("==", name, r.messages.join(" | "));
  for (const m of r.models) { console.log(JSON.stringify(m.weights.map(w=>[w.init,w.range])));
   for (const c of m.claims) { const v = verdictOf(c, (p) => new Analysis(m, p)); console.log(c.text, v.status, v.upper, v.why?.text); } }
 }
});
