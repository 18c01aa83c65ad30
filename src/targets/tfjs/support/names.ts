/** Names of the support functions that emissions may call. */
export const supportNames = [
  "addRows",
  "convolve",
  "convolveGradInput",
  "convolveGradKernel",
  "gelu",
  "geluGradient",
  "geluTanh",
  "multiply",
  "multiplyEach",
  "slice",
  "sumOver",
  "weightsOf",
] as const;

export type SupportName = (typeof supportNames)[number];
