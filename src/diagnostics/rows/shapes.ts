/** 02: shapes and dimensions. 0201 residual-shape and 0204 does-not-tile belong to Residual and Attend. */
export const shapeRows = {
  "residual-shape": {
    code: "LIPS0201",
    severity: "error",
    message: (p: { skip: string; branch: string }) =>
      `The branch changes the shape, so it can't be added back: the skip is ${p.skip}, the branch ${p.branch}.`,
  },
  "wrong-rank": {
    code: "LIPS0202",
    severity: "error",
    message: (p: { layer: string; works: string; expected: string; found: string }) =>
      `\`${p.layer}\` works on ${p.works}: expected ${p.expected}, found ${p.found}.`,
  },
  "not-divisible": {
    code: "LIPS0203",
    severity: "error",
    message: (p: { top: string; bottom: string; layer: string; needs: string }) =>
      `${p.top} / ${p.bottom} is not whole, but \`${p.layer}\` needs \`${p.needs}\`.`,
    help: (p: { top: string; bottom: string }) => nearestMultiples(p.top, p.bottom),
  },
  "does-not-tile": {
    code: "LIPS0204",
    severity: "error",
    message: (p: { what: string; size: number; map: string; rest: string; possible: readonly number[] }) =>
      `${p.what} of ${p.size} do not tile ${p.map}: ${p.rest}.`,
    help: (p: { possible: readonly number[] }) => `possible: ${p.possible.join(", ")}`,
  },
  "even-kernel": {
    code: "LIPS0205",
    severity: "error",
    message: (p: { kernel: number; default: string }) =>
      `An even kernel has no symmetric padding: the default would be ${p.default}.`,
    help: () => "say `padding: 0` (patches) or `padding: 1`, whichever the architecture means",
  },
  "kernel-too-large": {
    code: "LIPS0206",
    severity: "error",
    message: (p: { layer: string; reach: number; size: number; found: string }) =>
      `The window of \`${p.layer}\` reaches over ${p.reach} positions, but the padded map has only ${p.size}: found ${p.found}.`,
    help: () => "use a smaller kernel or more padding, or take away an earlier stride",
  },
  "list-length": {
    code: "LIPS0207",
    severity: "error",
    message: (p: { layer: string; list: string; length: number; channels: number; found: string }) =>
      `\`${p.list}\` of \`${p.layer}\` has ${p.length} entries, but the value has ${p.channels} channels: found ${p.found}.`,
    help: () => "give one number for each channel",
  },
  "concat-mismatch": {
    code: "LIPS0208",
    severity: "error",
    message: (p: { axis: string; expected: string; found: string }) =>
      `Values joined along ${p.axis} must agree in all other axes: expected ${p.expected}, found ${p.found}.`,
  },
  "token-out-of-range": {
    code: "LIPS0209",
    severity: "error",
    message: (p: { index: number; count: number; found: string }) =>
      `There is no token ${p.index}: ${p.found} has ${p.count} tokens, counted from 0.`,
  },
  "different-shapes": {
    code: "LIPS0210",
    severity: "error",
    message: (p: { layer: string; expected: string; found: string }) =>
      `\`${p.layer}\` takes values of one shape: expected ${p.expected}, found ${p.found}.`,
  },
  "padding-too-large": {
    code: "LIPS0211",
    severity: "error",
    message: (p: { mode: string; padding: number; most: number; found: string }) =>
      `\`${p.mode}\` can pad at most ${p.most} positions here, not ${p.padding}: found ${p.found}.`,
    help: () => "pad less, or use `zeros` or `replicate`",
  },
  "nothing-left": {
    code: "LIPS0212",
    severity: "error",
    message: (p: { layer: string; found: string }) => `\`${p.layer}\` leaves nothing of ${p.found}.`,
  },
  "not-token-ids": {
    code: "LIPS0213",
    severity: "error",
    message: (p: { found: string }) =>
      `\`Embedding\` looks up token ids: expected [n] in tokens(count), found ${p.found}.`,
    help: () => "declare the input as `input text: [n] in tokens(count)`; for real numbers use `Linear`",
  },
  "bad-part": {
    code: "LIPS0214",
    severity: "error",
    message: (p: { part: string; channels: number; moved: number }) =>
      `A part of ${p.part} of ${p.channels} channels is ${p.moved}: four such groups must be at least 1 channel each and fit into the value.`,
    help: () => "choose a part between 1/channels and 1/4, such as 1/12",
  },
  "heads-divide": {
    code: "LIPS0215",
    severity: "error",
    message: (p: { heads: number; channels: number; what: string; possible: readonly number[] }) =>
      `${p.heads} heads do not divide the ${p.channels} channels of ${p.what}.`,
    help: (p: { possible: readonly number[] }) => `possible: ${p.possible.join(", ")}`,
  },
  "attend-shapes": {
    code: "LIPS0216",
    severity: "error",
    message: (p: { q: string; k: string; v: string; why: string }) =>
      `Queries ${p.q}, keys ${p.k} and values ${p.v} do not fit together: ${p.why}.`,
  },
  "ids-not-numbers": {
    code: "LIPS0217",
    severity: "error",
    message: (p: { layer: string; found: string }) =>
      `\`${p.layer}\` works on numbers, but ${p.found} holds token ids, which are names.`,
    help: () => "look them up first: `|> Embedding(width)`",
  },
  "shape-mismatch": {
    code: "LIPS0230",
    severity: "error",
    message: (p: { layer: string; expected: string; found: string }) =>
      `The shape doesn't fit \`${p.layer}\`: expected ${p.expected}, found ${p.found}.`,
  },
  "result-shape": {
    code: "LIPS0231",
    severity: "error",
    message: (p: { block: string; expected: string; found: string }) =>
      `\`${p.block}\` gives another shape than it says: expected ${p.expected}, found ${p.found}.`,
  },
  "bad-shape": {
    code: "LIPS0232",
    severity: "error",
    message: (p: { layer: string; found: string }) =>
      `\`${p.layer}\` would make ${p.found}: sizes are whole, at least 1, on at most two position axes and channels, with at most 2^45 entries.`,
  },
} as const;

function nearestMultiples(top: string, bottom: string): string | null {
  const [a, b] = [Number(top), Number(bottom)];
  if (!Number.isInteger(a) || !Number.isInteger(b) || b < 1) return null;
  const below = Math.floor(a / b) * b;
  return below > 0 ? `use ${below} or ${below + b}, or pad` : `use ${below + b}, or pad`;
}
