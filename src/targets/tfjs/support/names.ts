/** Names of the support functions that emissions may call. */
export const supportNames = [
  "addRows",
  "affine",
  "convolve",
  "convolveGradInput",
  "convolveGradKernel",
  "gelu",
  "geluSlope",
  "geluTanh",
  "multiply",
  "multiplyEach",
  "normalCdf",
  "pad",
  "slice",
  "sumOfSquares",
  "sumOver",
  "weightsOf",
] as const;

export type SupportName = (typeof supportNames)[number];
