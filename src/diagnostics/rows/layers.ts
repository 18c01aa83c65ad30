/** 03: layers, arguments and options. */

/** An argument stands in backticks, words such as `a size` stand plain and begin the sentence. */
const subject = (argument: string): string =>
  argument.includes(" ") ? argument[0].toUpperCase() + argument.slice(1) : `\`${argument}\``;

export const layerRows = {
  "applied-twice": {
    code: "LIPS0301",
    severity: "hint",
    message: (p: { name: string; count: number }) =>
      `\`${p.name}\` is applied ${p.count} times and has its own weights each time.`,
    help: (p: { name: string }) =>
      `\`let ${p.name} = shared(…)\` ties them; written out at each place it says that you mean ${"several"}`,
  },
  "layer-not-value": {
    code: "LIPS0302",
    severity: "error",
    message: (p: { layer: string }) => `This is a layer, not a value: nothing flows into \`${p.layer}\`.`,
    help: (p: { layer: string }) => `\`x |> ${p.layer}\``,
  },
  "unknown-option": {
    code: "LIPS0303",
    severity: "error",
    message: (p: { found: string; type: string; options: readonly string[] }) =>
      `\`${p.found}\` is not ${/^[AEIOU]/.test(p.type) ? "an" : "a"} ${p.type}; expected ${p.options.join(", ")}.`,
  },
  "condition-on-data": {
    code: "LIPS0304",
    severity: "error",
    message: (p: { name: string }) =>
      `A condition is decided when the model is built; ${p.name} is known only when it runs.`,
    help: () => "ReLU, Clamp or a gate; a jump would make the model discontinuous",
  },
  "missing-argument": {
    code: "LIPS0305",
    severity: "error",
    message: (p: { layer: string; argument: string; type: string }) =>
      `\`${p.layer}\` needs \`${p.argument}\` (${p.type}).`,
    help: (p: { layer: string; argument: string }) => `\`${p.layer}(${p.argument}: …)\``,
  },
  "unknown-argument": {
    code: "LIPS0306",
    severity: "error",
    message: (p: { layer: string; argument: string; known: readonly string[] }) =>
      `\`${p.layer}\` has no argument \`${p.argument}\`` +
      (p.known.length === 0 ? "; it takes none." : `; it takes ${p.known.join(", ")}.`),
  },
  "argument-type": {
    code: "LIPS0307",
    severity: "error",
    message: (p: { argument: string; expected: string; found: string }) =>
      `${subject(p.argument)} must be ${p.expected}, found ${p.found}.`,
  },
  "too-many-arguments": {
    code: "LIPS0308",
    severity: "error",
    message: (p: { layer: string; most: number }) =>
      p.most === 0
        ? `\`${p.layer}\` takes no arguments.`
        : `\`${p.layer}\` takes at most ${p.most} unnamed argument${p.most === 1 ? "" : "s"} of this kind.`,
  },
  "not-an-int": {
    code: "LIPS0309",
    severity: "error",
    message: (p: { argument: string; text: string; value: string }) =>
      `${subject(p.argument)} must be a whole number: ` +
      (p.text === p.value ? `${p.value}.` : `${p.text} = ${p.value}.`),
  },
  "out-of-range": {
    code: "LIPS0310",
    severity: "error",
    message: (p: { argument: string; found: string; allowed: string }) =>
      `${subject(p.argument)} is ${p.found}, but must be ${p.allowed}.`,
  },
  "not-a-layer": {
    code: "LIPS0311",
    severity: "error",
    message: (p: { found: string }) => `A value can flow only into a layer, not into ${p.found}.`,
  },
  "operator-types": {
    code: "LIPS0312",
    severity: "error",
    message: (p: { operator: string; left: string; right: string | null }) =>
      p.right === null
        ? `\`${p.operator}\` can't be applied to ${p.left}.`
        : `\`${p.operator}\` can't join ${p.left} and ${p.right}.`,
  },
  "not-callable": {
    code: "LIPS0313",
    severity: "error",
    message: (p: { found: string }) => `${p.found} can't be called.`,
  },
  "tensor-not-named": {
    code: "LIPS0314",
    severity: "error",
    message: (p: { layer: string; missing: readonly string[] }) =>
      `\`${p.layer}\` still lacks ${p.missing.map((m) => `\`${m}\``).join(", ")}, so the tensors that it is given must be named.`,
  },
  "argument-twice": {
    code: "LIPS0315",
    severity: "error",
    message: (p: { argument: string }) => `\`${p.argument}\` is given twice.`,
  },
  "no-number": {
    code: "LIPS0316",
    severity: "error",
    message: (p: { text: string; why: string }) => `${p.text} has no value: ${p.why}.`,
  },
  "index-outside": {
    code: "LIPS0317",
    severity: "error",
    message: (p: { index: string; length: number }) =>
      p.length === 0
        ? "The list is empty."
        : `Index ${p.index} is outside the list: it has entries 0 to ${p.length - 1}.`,
  },
  "pattern-length": {
    code: "LIPS0318",
    severity: "error",
    message: (p: { names: number; found: string }) =>
      `${p.names} names stand on the left, but the value is ${p.found}.`,
  },
  "learned-shape": {
    code: "LIPS0319",
    severity: "error",
    message: (p: { expected: string; found: string }) =>
      `This learned number has the wrong shape: expected ${p.expected}, found ${p.found}.`,
  },
  "shared-shape": {
    code: "LIPS0320",
    severity: "error",
    message: (p: { first: string; now: string }) =>
      `A shared layer has one set of weights, but this application needs other ones: ${p.first} at first, ${p.now} here.`,
  },
  "weights-late": {
    code: "LIPS0321",
    severity: "error",
    message: (p: Record<never, never>) => (
      void p,
      "`weights` must stand before the first layer of its body."
    ),
  },
  "unknown-entry": {
    code: "LIPS0322",
    severity: "error",
    message: (p: { where: string; key: string; known: readonly string[] }) =>
      `\`${p.where}\` has no entry \`${p.key}\`; it takes ${p.known.join(", ")}.`,
  },
  "option-without-type": {
    code: "LIPS0323",
    severity: "error",
    message: (p: { name: string; types: readonly string[] }) =>
      `\`${p.name}\` is an option of ${p.types.join(" and ")}; here nothing says which is meant.`,
    help: (p: { name: string; types: readonly string[] }) =>
      `give it directly as an argument, or say its type: \`let choice: ${p.types[0]} = ${p.name}\``,
  },
  "empty-range": {
    code: "LIPS0324",
    severity: "error",
    message: (p: { low: string; high: string }) => `The interval [${p.low}, ${p.high}] holds no number.`,
  },
  "not-one-shape": {
    code: "LIPS0325",
    severity: "error",
    message: (p: { layer: string; count: number }) =>
      `\`${p.layer}\` gives ${p.count} values; the next layer of the pipe takes one.`,
    help: () => "take them apart: `let [a, b] = …`",
  },
  "step-shape": {
    code: "LIPS0326",
    severity: "error",
    message: (p: { layer: string; parameter: string }) =>
      `The shape of \`${p.parameter}\` is not fixed by \`${p.layer}\`, and no tensor is there to fix it.`,
    help: (p: { parameter: string }) =>
      `name its size by a static parameter: \`block Step(${p.parameter}: [n], …, n: int)\`, and \`Step(n: 64)\``,
  },
  "attend-local": {
    code: "LIPS0330",
    severity: "error",
    message: (p: { why: string }) =>
      `\`local\` must be a \`DepthwiseConv(k)\` with an odd k, which \`Attend\` applies inside each window: ${p.why}.`,
    help: () => "for another branch beside attention, write it out and add it",
  },
  "too-few-channels": {
    code: "LIPS0340",
    severity: "error",
    message: (p: { layer: string; least: number; found: string }) =>
      `\`${p.layer}\` needs at least ${p.least} channels: found ${p.found}.`,
  },
  "written-otherwise": {
    code: "LIPS0345",
    severity: "error",
    message: (p: { layer: string; form: string }) =>
      `\`${p.layer}\` is not called by name: it is written \`${p.form}\`.`,
  },
} as const;
