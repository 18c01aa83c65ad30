/** 04: gains and claims. */
export const claimRows = {
  "not-lipschitz": {
    code: "LIPS0401",
    severity: "error",
    message: (p: { from: string; to: string; limit: string; upper: null; chain: readonly string[] }) =>
      `No finite gain from \`${p.from}\` to \`${p.to}\` is proven, but at most ${p.limit} is claimed.` +
      numbered(p.chain),
  },
  "values-not-bounded": {
    code: "LIPS0402",
    severity: "error",
    message: (p: {
      from: string;
      to: string;
      limit: string;
      upper: string | null;
      chain: readonly string[];
    }) =>
      (p.upper === null
        ? `No finite gain from \`${p.from}\` to \`${p.to}\` is proven, but at most ${p.limit} is claimed: `
        : `The proven gain from \`${p.from}\` to \`${p.to}\` is ${p.upper}, and holds on the declared domain only; at most ${p.limit} is claimed: `) +
      "the values of an attention are not normalised." +
      numbered(p.chain),
    help: () => "`values: unit(eps: 1e-2)` divides each value by its norm (this changes the architecture)",
  },
  "claim-fails": {
    code: "LIPS0403",
    severity: "error",
    message: (p: {
      what: string;
      upper: string;
      limit: string;
      causes: readonly string[];
      chain: readonly string[];
    }) =>
      `The proven ${p.what} is ${p.upper}, the claim is ${p.limit}.` +
      (p.causes.length === 0 ? "" : ` The largest causes:${p.causes.map((c) => `\n  ${c}`).join("")}`) +
      (p.chain.length === 0 ? "" : `\nWhat makes it so large:${numbered(p.chain)}`),
  },
  "not-constrained": {
    code: "LIPS0404",
    severity: "error",
    message: (p: { weight: string; count: number }) =>
      `\`${p.weight}\`${p.count > 1 ? ` and ${p.count - 1} other weights` : ""} may reach any norm in training, so nothing holds always.`,
    help: () =>
      "`weights { constraint: spectral(1) }` and `learned(…, in: [low, high])` hold always; or claim `at init`, or `at checkpoint`",
  },
  "no-norm-on-tokens": {
    code: "LIPS0405",
    severity: "error",
    message: (p: { name: string }) => `\`${p.name}\` holds token ids: there is no distance between them.`,
    help: () =>
      "claim from the embedded value: `let embedded = … |> Embedding(…)`, then `gain(embedded -> …)`",
  },
  "claim-open": {
    code: "LIPS0408",
    severity: "hint",
    message: (p: { claim: string }) =>
      `\`${p.claim}\` is open: it is about trained weights, and no checkpoint is given.`,
    help: () => "`lipsc certify RUN` decides it for the weights of a run",
  },
  "no-bound": {
    code: "LIPS0409",
    severity: "warning",
    message: (p: { from: string; to: string; when: string; chain: readonly string[] }) =>
      `No finite gain from \`${p.from}\` to \`${p.to}\` is proven, ${p.when}.` + numbered(p.chain),
  },
  "layernorm-epsilon": {
    code: "LIPS0410",
    severity: "warning",
    message: (p: { layer: string; eps: string; factor: string }) =>
      `\`${p.layer}\` is Lipschitz only through eps = ${p.eps}: it multiplies the bound by ${p.factor}.`,
    help: () =>
      "`CenterNorm` has a gain of d / (d - 1) and needs no eps; a larger eps lowers the factor, which is 1 / sqrt(eps)",
  },
  "weak-bound": {
    code: "LIPS0411",
    severity: "warning",
    message: (p: { chain: readonly string[] }) =>
      "The bound is finite, but so large that it is of little use." + numbered(p.chain),
  },
  "radius-fails": {
    code: "LIPS0412",
    severity: "error",
    message: (p: { name: string; limit: string; chain: readonly string[] }) =>
      `No finite radius of \`${p.name}\` is proven, but at most ${p.limit} is claimed.` + numbered(p.chain),
    help: () => "`in [0, 1]` at the input, `Clamp(low, high)` and `Project(l2, radius)` make ranges",
  },
  "margin-of-tokens": {
    code: "LIPS0413",
    severity: "error",
    message: (p: { name: string; shape: string }) =>
      `A margin compares the entries of one token, but \`${p.name}\` is ${p.shape}.`,
    help: () => "`MeanPool` or `Token(0)` leaves one token",
  },
  "claim-of-nothing": {
    code: "LIPS0414",
    severity: "warning",
    message: (p: { from: string; to: string }) =>
      `\`${p.to}\` doesn't depend on \`${p.from}\`, so the claim holds whatever the network does.`,
    help: (p: { from: string; to: string }) =>
      `the arrow points the way values flow: \`gain(${p.to} -> ${p.from})\`?`,
  },
} as const;

function numbered(chain: readonly string[]): string {
  return chain.map((link, i) => `\n  ${i + 1}. ${link}`).join("");
}
