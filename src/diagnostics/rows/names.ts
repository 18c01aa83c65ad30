/** 01: names, scopes, imports and the limits of elaboration. */
export const nameRows = {
  "not-declared": {
    code: "LIPS0101",
    severity: "error",
    message: (p: { name: string }) => `\`${p.name}\` does not exist here yet.`,
    help: (p: { name: string }) =>
      `\`let ${p.name} = …\` makes it; \`=\` alone gives an existing name a new value`,
  },
  "loop-let-unused": {
    code: "LIPS0102",
    severity: "warning",
    message: (p: { name: string }) =>
      `This \`${p.name}\` ends with the loop round; the outer \`${p.name}\` keeps its value.`,
    help: () => "drop `let` to give the outer name a new value",
  },
  "unknown-name": {
    code: "LIPS0103",
    severity: "error",
    message: (p: { what: string; name: string; nearest: string | null }) =>
      `There is no ${p.what} \`${p.name}\`${p.nearest === null ? "" : `; the nearest name is \`${p.nearest}\``}.`,
  },
  "unknown-dimension": {
    code: "LIPS0104",
    severity: "error",
    message: (p: { name: string; block: string; dimensions: readonly string[] }) =>
      `\`${p.name}\` is not a dimension of \`${p.block}\`: ` +
      (p.dimensions.length === 0
        ? "its signature names none."
        : `its signature has ${p.dimensions.map((d) => `\`${d}\``).join(", ")}.`),
    help: (p: { name: string; dimensions: readonly string[] }) =>
      p.dimensions.length === 0
        ? `name the axis \`${p.name}\` in a parameter's shape`
        : `write \`${p.dimensions[p.dimensions.length - 1]}\`, or name the axis \`${p.name}\``,
  },
  "built-in-name": {
    code: "LIPS0105",
    severity: "error",
    message: (p: { name: string; what: string }) =>
      `\`${p.name}\` is a built-in ${p.what}; readers must be able to trust the name.`,
    help: () => "give it another name",
  },
  "declared-twice": {
    code: "LIPS0106",
    severity: "error",
    message: (p: { name: string }) => `\`${p.name}\` is declared twice in one scope.`,
    help: (p: { name: string }) => `\`${p.name} = …\` without \`let\` gives it a new value`,
  },
  "shadows-file-name": {
    code: "LIPS0107",
    severity: "error",
    message: (p: { name: string }) => `\`${p.name}\` is already a name of this file.`,
    help: () => "choose another name: file-level names mean one thing in the whole file",
  },
  "import-missing": {
    code: "LIPS0108",
    severity: "error",
    message: (p: { from: string; why: string | null }) =>
      p.why === null ? `There is no file \`${p.from}\`.` : `\`${p.from}\` can't be read: ${p.why}.`,
    help: (p: { why: string | null }) =>
      p.why === null ? 'imports are `"std/…"` or a path relative to this file, ending in `.lips`' : null,
  },
  "import-path": {
    code: "LIPS0109",
    severity: "error",
    message: (p: { from: string; why: string }) => `\`${p.from}\` can't be imported: ${p.why}.`,
    help: () => 'imports are `"std/…"` or a path relative to this file, ending in `.lips`',
  },
  "cyclic-import": {
    code: "LIPS0110",
    severity: "error",
    message: (p: { chain: readonly string[] }) => `These files import each other: ${p.chain.join(" → ")}.`,
    help: () => "move what both need into a third file",
  },
  "not-in-file": {
    code: "LIPS0111",
    severity: "error",
    message: (p: { name: string; from: string; nearest: string | null }) =>
      `\`${p.from}\` has no \`${p.name}\`${p.nearest === null ? "" : `; the nearest name is \`${p.nearest}\``}.`,
  },
  "block-recursion": {
    code: "LIPS0112",
    severity: "error",
    message: (p: { chain: readonly string[] }) =>
      `A block can't contain itself: ${p.chain.map((n) => `\`${n}\``).join(" → ")}.`,
    help: () => "repeat with `for`, or feed back with `Scan` or `Fixpoint`",
  },
  "capital-name": {
    code: "LIPS0113",
    severity: "error",
    message: (p: { what: string; name: string; better: string }) =>
      `A ${p.what}'s name begins with a capital: \`${p.better}\`, not \`${p.name}\`.`,
  },
  "constant-cycle": {
    code: "LIPS0114",
    severity: "error",
    message: (p: { name: string }) => `The value of \`${p.name}\` depends on itself.`,
  },
  "option-hides-name": {
    code: "LIPS0115",
    severity: "warning",
    message: (p: { name: string; type: string }) =>
      `\`${p.name}\` is read as the option of \`${p.type}\`, not as the name declared here.`,
    help: () => "rename the variable",
  },
  "rebound-name": {
    code: "LIPS0116",
    severity: "error",
    message: (p: { name: string; count: number }) =>
      `\`${p.name}\` has ${p.count} values, so a claim about it could mean any of them.`,
    help: (p: { name: string }) =>
      `name the one you mean: \`let features = ${p.name}\` right after it is made`,
  },
  misplaced: {
    code: "LIPS0117",
    severity: "error",
    message: (p: { what: string; where: string; instead: string }) =>
      `${p.what} can't stand ${p.where}: ${p.instead}.`,
  },
  "over-budget": {
    code: "LIPS0118",
    severity: "error",
    message: (p: { what: string; limit: number }) =>
      `This makes more than ${p.limit} ${p.what}; elaboration stops.`,
    help: () =>
      "a spec is unrolled completely, so its loops are those of the network: tens or hundreds of rounds",
  },
  "nested-too-deep": {
    code: "LIPS0119",
    severity: "error",
    message: (p: { what: string; limit: number }) => `${p.what} are nested more than ${p.limit} deep.`,
  },
  "model-not-layer": {
    code: "LIPS0120",
    severity: "error",
    message: (p: { name: string }) => `\`${p.name}\` is a model; only blocks and layers can be applied.`,
    help: (p: { name: string }) => `make it a \`block\`, or write a variant: \`model New = ${p.name}(…)\``,
  },
  "unknown-override": {
    code: "LIPS0121",
    severity: "error",
    message: (p: { key: string; known: readonly string[]; trained: boolean; nearest: string | null }) =>
      `\`--set ${p.key}=…\` fits no parameter of a model here, and no entry of a \`train\` section.`,
    help: ({
      known,
      trained,
      nearest,
    }: {
      known: readonly string[];
      trained: boolean;
      nearest: string | null;
    }) => {
      const parameters =
        known.length === 0 ? "no model here has parameters" : `parameters: ${known.join(", ")}`;
      const entries = trained ? "entries as in `--set train.epochs=5`" : "there is no `train` section";
      return nearest === null ? `${parameters}; ${entries}` : `\`--set ${nearest}=…\``;
    },
  },
  "nothing-comes-out": {
    code: "LIPS0122",
    severity: "error",
    message: (p: { what: string; name: string }) =>
      p.what === "model" ? `Model \`${p.name}\` has no \`output\`.` : `Block \`${p.name}\` has no value.`,
    help: (p: { what: string; name: string }) =>
      p.what === "model"
        ? "`output logits = …`"
        : "the value of a block is its one bare expression, in its last line",
  },
  "nothing-comes-in": {
    code: "LIPS0123",
    severity: "error",
    message: (p: { name: string }) => `Model \`${p.name}\` has no \`input\`.`,
    help: () => "`input image: [28, 28, 1] in [0, 1]`",
  },
  "base-not-model": {
    code: "LIPS0124",
    severity: "error",
    message: (p: { name: string }) =>
      `Model \`${p.name}\` must be made from another model: \`model ${p.name} = Base(…)\`.`,
  },
  "no-name-to-claim": {
    code: "LIPS0125",
    severity: "error",
    message: (p: { name: string; known: readonly string[] }) =>
      `A claim can't name \`${p.name}\`: it is not an input, an output or a \`let\` of this body that carries a tensor.`,
    help: (p: { known: readonly string[] }) =>
      p.known.length === 0 ? null : `it can name ${p.known.join(", ")}`,
  },
  "claim-form": {
    code: "LIPS0126",
    severity: "error",
    message: (p: { why: string }) => `This is not a claim: ${p.why}.`,
    help: () =>
      "`certify at init: gain(image -> logits) <= 100`; likewise `margin(image -> logits)` and `radius(features)`",
  },
  "claim-phase": {
    code: "LIPS0127",
    severity: "error",
    message: (p: { found: string }) =>
      `\`${p.found}\` is not a phase: a claim holds \`at init\`, \`always\` or \`at checkpoint\`.`,
  },
  "unknown-edition": {
    code: "LIPS0129",
    severity: "error",
    message: (p: { found: string }) => `This compiler knows \`lips 1\`, not \`lips ${p.found}\`.`,
  },
  "block-type": {
    code: "LIPS0128",
    severity: "error",
    message: (p: { found: string; nearest: string | null }) =>
      `There is no type \`${p.found}\`${p.nearest === null ? "" : `; the nearest is \`${p.nearest}\``}.`,
    help: () =>
      "types are int, real, bool, string, their lists (int[]), Layer, the option types, and shapes such as [n, d]",
  },
} as const;
