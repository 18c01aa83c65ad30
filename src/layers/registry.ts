/** All built-in layers, explicitly: a new layer is one new file and one line here. */
import type { Layer } from "./layer.ts";
import { add, subtract } from "./add.ts";
import { averagePool } from "./average-pool.ts";
import { channelShift } from "./channel-shift.ts";
import { concat } from "./concat.ts";
import { conv } from "./conv.ts";
import { crop } from "./crop.ts";
import { depthToSpace } from "./depth-to-space.ts";
import { depthwiseConv } from "./depthwise-conv.ts";
import { embedding } from "./embedding.ts";
import { flatten } from "./flatten.ts";
import { learned } from "./learned.ts";
import { linear } from "./linear.ts";
import { maxPool } from "./max-pool.ts";
import { meanPool } from "./mean-pool.ts";
import { normalize } from "./normalize.ts";
import { offset } from "./offset.ts";
import { pad } from "./pad.ts";
import { shift } from "./shift.ts";
import { spaceToDepth } from "./space-to-depth.ts";
import { split } from "./split.ts";
import { token } from "./token.ts";
import { attend } from "./attend.ts";
import { residual } from "./residual.ts";
import { activations } from "./activations.ts";
import { maxMin } from "./max-min.ts";
import { groupSort } from "./group-sort.ts";
import { householder } from "./householder.ts";
import { prelu } from "./prelu.ts";
import { centerNorm } from "./center-norm.ts";
import { layerNorm } from "./layer-norm.ts";
import { rmsNorm } from "./rms-norm.ts";
import { batchNorm } from "./batch-norm.ts";
import { unitNorm } from "./unit-norm.ts";
import { scale } from "./scale.ts";
import { dropout } from "./dropout.ts";
import { dropPath } from "./drop-path.ts";
import { clamp } from "./clamp.ts";
import { project } from "./project.ts";
import { softmax } from "./softmax.ts";
import { multiply } from "./multiply.ts";
import { sandwich } from "./sandwich.ts";
import { sll } from "./sll.ts";
import { cpl } from "./cpl.ts";
import { stateSpace } from "./state-space.ts";
import { r2dn } from "./r2dn.ts";
import { ren } from "./ren.ts";
import { scan } from "./scan.ts";
import { fixpoint } from "./fixpoint.ts";

const all: readonly Layer[] = [
  linear,
  conv,
  depthwiseConv,
  embedding,
  normalize,
  flatten,
  spaceToDepth,
  depthToSpace,
  shift,
  channelShift,
  pad,
  crop,
  token,
  split,
  concat,
  meanPool,
  maxPool,
  averagePool,
  learned,
  add,
  subtract,
  offset,
  attend,
  residual,
  ...activations,
  maxMin,
  groupSort,
  householder,
  prelu,
  centerNorm,
  layerNorm,
  rmsNorm,
  batchNorm,
  unitNorm,
  scale,
  dropout,
  dropPath,
  clamp,
  project,
  softmax,
  multiply,
  sandwich,
  sll,
  cpl,
  stateSpace,
  r2dn,
  ren,
  scan,
  fixpoint,
];

export const layers: ReadonlyMap<string, Layer> = new Map(all.map((layer) => [layer.name, layer]));
