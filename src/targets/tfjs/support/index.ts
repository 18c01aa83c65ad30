/** The support functions by name, for the engines; generated files hold their text. */
import { addRows, pad, slice, sumOfSquares, sumOver } from "./arrays.ts";
import { convolve, convolveGradInput, convolveGradKernel } from "./conv.ts";
import { gelu, geluSlope, geluTanh, normalCdf } from "./gelu.ts";
import type { SupportName } from "./names.ts";
import { affine, multiply, multiplyEach } from "./products.ts";
import { weightsOf } from "./run.ts";

export const support = {
  addRows,
  affine,
  convolve,
  convolveGradInput,
  convolveGradKernel,
  gelu,
  geluSlope,
  geluTanh,
  multiply,
  multiplyEach,
  normalCdf,
  pad,
  slice,
  sumOfSquares,
  sumOver,
  weightsOf,
} satisfies Record<SupportName, unknown>;
