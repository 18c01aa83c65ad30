/** The support functions by name, for the engines; generated files hold their text. */
import { addRows, slice, sumOver } from "./arrays.ts";
import { convolve, convolveGradInput, convolveGradKernel } from "./conv.ts";
import { gelu, geluTanh } from "./gelu.ts";
import { multiply, multiplyEach } from "./products.ts";

export const support = {
  addRows,
  convolve,
  convolveGradInput,
  convolveGradKernel,
  gelu,
  geluTanh,
  multiply,
  multiplyEach,
  slice,
  sumOver,
} as const;
