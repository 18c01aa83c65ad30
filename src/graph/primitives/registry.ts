/** Every primitive, checked to be all of them: a new one is a key of OpAttributes, an entry here, an emission per target. */
import type { Op } from "../graph.ts";
import type { Primitive } from "./primitive.ts";
import { conv, convGradInput, convGradKernel } from "./conv.ts";
import {
  abs,
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  floor,
  gelu,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  select,
  sigmoid,
  sign,
  sqrt,
  sub,
  tanh,
} from "./elementwise.ts";
import { gather, scatterAdd } from "./gather.ts";
import { matmul } from "./matmul.ts";
import { broadcast, concat, pad, reshape, slice, transpose } from "./movement.ts";
import { max, softmax, sum } from "./reduce.ts";
import { constant, input } from "./source.ts";

export const primitives: { readonly [O in Op]: Primitive<O> } = {
  input,
  constant,
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  greater,
  equal,
  select,
  neg,
  exp,
  log,
  sqrt,
  erf,
  tanh,
  sigmoid,
  abs,
  sign,
  floor,
  gelu,
  cast,
  sum,
  max,
  softmax,
  reshape,
  broadcast,
  transpose,
  slice,
  concat,
  pad,
  gather,
  scatterAdd,
  matmul,
  conv,
  convGradInput,
  convGradKernel,
};
