/** 05: solve and train. */
export const trainRows = {
  "two-unknowns": {
    code: "LIPS0501",
    severity: "error",
    message: () => "A model has at most one unknown number; this is its second `solve`.",
    help: () => "two unknowns have no single answer: fix one of them, or give both the same name",
  },
  "no-solution": {
    code: "LIPS0502",
    severity: "error",
    message: (p: {
      name: string;
      low: string;
      high: string;
      nearest: string;
      upper: string | null;
      claim: string;
      causes: readonly string[];
    }) =>
      p.upper === null
        ? `No ${p.name} in [${p.low}, ${p.high}] meets the claims: \`${p.claim}\` has no bound with any value that was tried.` +
          p.causes.map((c, i) => `\n  ${i + 1}. ${c}`).join("")
        : `No ${p.name} in [${p.low}, ${p.high}] meets the claims: even with ${p.nearest} the bound is ${p.upper}, where \`${p.claim}\` is claimed.` +
          (p.causes.length === 0 ? "" : ` What stays:${p.causes.map((c) => `\n  ${c}`).join("")}`),
    help: (p: { upper: string | null }) =>
      p.upper === null
        ? "the unknown number is not what keeps the bound from being finite"
        : "a larger limit, a wider interval, or smaller factors in the lines above",
  },
  "solve-not-one-sided": {
    code: "LIPS0504",
    severity: "error",
    message: (p: { name: string; low: string; high: string; holds: readonly string[] }) =>
      `The claims hold for ${p.name} in ${p.holds.join(" and in ")} of [${p.low}, ${p.high}], and not beside: neither the largest nor the smallest value is what they ask for.`,
    help: () =>
      "narrow the interval, so that one of its ends meets the claims and they fail on one side only",
  },
  "solve-idle": {
    code: "LIPS0505",
    severity: "error",
    message: (p: { name: string; low: string; high: string }) =>
      `Every ${p.name} in [${p.low}, ${p.high}] meets the claims, and no bound depends on it, so nothing chooses it.`,
    help: () => "write a number in place of `solve(…)`, or claim a bound that it enters",
  },
  "solve-without-claims": {
    code: "LIPS0506",
    severity: "error",
    message: (p: { model: string; name: string }) =>
      `\`${p.model}\` claims nothing \`at init\` or \`always\`, so nothing chooses ${p.name}.`,
    help: () => "`certify always: gain(x -> y) <= 10` says what the number must meet",
  },
  "nothing-to-solve": {
    code: "LIPS0507",
    severity: "error",
    message: (p: { file: string }) => `No model in ${p.file} holds a \`solve(in: [low, high])\`.`,
    help: () => "`let alpha = solve(in: [0, 1])`, then use `alpha` where a number is wanted",
  },
  "train-entry": {
    code: "LIPS0510",
    severity: "error",
    message: (p: { key: string; nearest: string | null }) =>
      `\`train\` has no entry \`${p.key}\`${p.nearest === null ? "" : `; the nearest is \`${p.nearest}\``}.`,
    help: () =>
      "entries are data, augment, loss, optimizer, groups, schedule, epochs, steps, batch, clip, average, precision, seed, report",
  },
  "train-twice": {
    code: "LIPS0511",
    severity: "error",
    message: (p: { key: string }) => `\`${p.key}\` is given twice.`,
  },
  "train-model": {
    code: "LIPS0512",
    severity: "error",
    message: (p: { name: string; nearest: string | null }) =>
      `There is no model \`${p.name}\` in this file${p.nearest === null ? "" : `; the nearest name is \`${p.nearest}\``}.`,
    help: () => "`train` describes the run of a model of the same file",
  },
  "train-length": {
    code: "LIPS0513",
    severity: "error",
    message: () => "A run is as long as its `epochs` or its `steps`; here both are given.",
    help: () => "keep one of them",
  },
  "loss-form": {
    code: "LIPS0514",
    severity: "error",
    message: (p: { found: string }) =>
      `A loss is a sum of terms, each with a number in front if need be; found ${p.found}.`,
    help: () => '`cross_entropy(smoothing: 0.1) + 1e-5 * spectral_penalty("**.query")`',
  },
  "recipe-misfit": {
    code: "LIPS0515",
    severity: "error",
    message: (p: { what: string; reason: string }) => `${p.what} doesn't fit this run: ${p.reason}.`,
  },
} as const;
