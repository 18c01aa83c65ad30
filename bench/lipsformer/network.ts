/** The network of the LipsFormer benchmark and its batch, the same numbers as bench/pytorch/lipsformer.py makes. */
import { join } from "node:path";
import { nodeHost } from "../../src/cli/host-node.ts";
import { loadModel } from "../../src/cli/load.ts";
import type { Model } from "../../src/model/model.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { projectRoot } from "../project.ts";

export const spec = "specs/lipsformer-swin-tiny.lips";

export function specModel(): Model {
  const { model, diagnostics } = loadModel(nodeHost, join(projectRoot, spec), null, {});
  if (model === null) throw new Error(`${spec}: ${diagnostics.map((d) => d.message).join("; ")}`);
  return model;
}

/** [batch, 224, 224, 3] of numbers in [0, 1), and labels among 1000. */
export function batchOf(batch: number): { image: HostTensor; labels: HostTensor } {
  const dims = [batch, 224, 224, 3];
  const size = dims.reduce((a, b) => a * b, 1);
  const image = Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1013) / 1013);
  const labels = Int32Array.from({ length: batch }, (_, i) => (37 * i) % 1000);
  return {
    image: { dtype: "f32", dims, data: image },
    labels: { dtype: "i32", dims: [batch], data: labels },
  };
}
