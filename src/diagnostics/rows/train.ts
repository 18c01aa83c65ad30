/** 05: solve and train. */
export const trainRows = {
  "two-unknowns": {
    code: "LIPS0501",
    severity: "error",
    message: () => "A model has at most one unknown number; this is its second `solve`.",
    help: () => "two unknowns have no single answer: fix one of them, or give both the same name",
  },
  "solve-not-available": {
    code: "LIPS0503",
    severity: "error",
    message: (p: { model: string; low: string; high: string }) =>
      `\`${p.model}\` holds an unknown number in [${p.low}, ${p.high}], and solving for it is not available yet.`,
    help: () => "write a number in place of `solve(…)`; `lipsc check` still shows shapes and parameters",
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
} as const;
