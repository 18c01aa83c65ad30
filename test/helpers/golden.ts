/** The released LipsFormer's golden vectors (facts: fixtures/golden), under our weights' paths. */
import { readFileSync } from "node:fs";
import { ourName } from "../../src/runtime/convert/lipsformer.ts";
import { readSafetensors, type StoredTensor } from "../../src/runtime/safetensors.ts";

export const goldenSpec = "test/fixtures/lipsformer-swin-released-mini.lips";
const goldenFile = "test/fixtures/golden/lipsformer-swin-released-mini.safetensors";
const gradientsFile = "test/fixtures/golden/lipsformer-swin-released-mini-gradients.safetensors";

function ourPath(authors: string): string {
  const path = ourName(authors);
  if (path === null) throw new Error(`${authors} is in no table`);
  return path;
}

export interface Golden {
  /** By our paths. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** By PyTorch's autograd in float64 (scripts/golden-gradients.py). */
  readonly gradients: ReadonlyMap<string, StoredTensor>;
  /**
   * As the released file has them. Behind the two convolutional branches they are not the gradients of its
   * own loss: central differences differ from them by up to 100 %, and agree with `gradients` (golden.test.ts
   * shows both).
   */
  readonly released: ReadonlyMap<string, StoredTensor>;
  /** [batch, h, w, c], from the file's NCHW. */
  readonly input: { readonly shape: readonly number[]; readonly data: Float64Array };
  readonly labels: readonly number[];
  readonly logits: StoredTensor;
  readonly loss: number;
}

function tensorsOf(name: string): ReadonlyMap<string, StoredTensor> {
  const file = readSafetensors(new Uint8Array(readFileSync(name)), name);
  if (!file.ok) throw new Error(file.problem.message);
  return file.value.tensors;
}

export function readGolden(): Golden {
  const tensors = tensorsOf(goldenFile);
  const tensor = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (!found) throw new Error(`no tensor ${name}`);
    return found;
  };
  const under = (prefix: string, from = tensors): Map<string, StoredTensor> =>
    new Map(
      [...from]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [ourPath(name.slice(prefix.length)), t]),
    );
  const input = tensor("input");
  const [n, c, h, w] = input.shape;
  const data = new Float64Array(n * h * w * c);
  for (let b = 0; b < n; b++) {
    for (let k = 0; k < c; k++) {
      for (let i = 0; i < h * w; i++)
        data[(b * h * w + i) * c + k] = Number(input.data[(b * c + k) * h * w + i]);
    }
  }
  return {
    weights: under("weight/"),
    gradients: under("grad/", tensorsOf(gradientsFile)),
    released: under("grad/"),
    input: { shape: [n, h, w, c], data },
    labels: Array.from(tensor("labels").data, Number),
    logits: tensor("logits"),
    loss: Number(tensor("loss").data[0]),
  };
}
