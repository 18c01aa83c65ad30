/** Weights under another code's names, put under ours (or back), and what is in the way of that. */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Model, Weight } from "../../model/model.ts";
import { bad, good, unexpected, type Result } from "../result.ts";
import { readSafetensors, type StoredTensor } from "../safetensors.ts";
import { isBuffer, ourName, theirName } from "./lipsformer.ts";
import { readPth } from "./pth.ts";
import { isZip } from "./zip.ts";

export type Tensors = ReadonlyMap<string, StoredTensor>;

export interface Converted {
  readonly tensors: Tensors;
  /** Names of buffers that were passed over: tables that are made from the spec. */
  readonly ignored: readonly string[];
}

/** Tensors of a .safetensors file or of one that torch.save wrote. */
export function readWeights(bytes: Uint8Array, name: string): Result<Tensors> {
  if (isZip(bytes)) return readPth(bytes, name);
  if (bytes[0] === 0x80 || name.endsWith(".tar"))
    return unexpected(
      name,
      "it is a pickle of PyTorch before 1.6",
      "save it again with a newer one: torch.save(torch.load(file), file)",
    );
  const file = readSafetensors(bytes, name);
  return file.ok ? good(file.value.tensors) : file;
}

/** The released LipsFormer's weights as those of `model`. Every weight must be there and every tensor be used. */
export function fromLipsformer(file: string, theirs: Tensors, model: Model): Result<Converted> {
  const wanted = new Map(model.weights.map((w) => [w.path, w]));
  const found = new Map<string, StoredTensor>();
  const ignored: string[] = [];
  const leftOver: string[] = [];
  const misshapen: string[] = [];
  for (const [name, tensor] of theirs) {
    const plain = name.replace(/^weight\//, "");
    if (isBuffer(plain)) {
      ignored.push(plain);
      continue;
    }
    const path = ourName(plain);
    const weight = path === null ? undefined : wanted.get(path);
    if (!weight) {
      leftOver.push(path === null ? plain : `${plain} (${path}, which the model doesn't have)`);
      continue;
    }
    const fitted = fit(tensor, weight);
    if (fitted) found.set(weight.path, fitted);
    else {
      misshapen.push(
        `${plain}: [${tensor.shape.join(", ")}], and \`${weight.path}\` is [${weight.shape.join(", ")}]`,
      );
      wanted.delete(weight.path);
    }
  }
  const missing = [...wanted.keys()]
    .filter((path) => !found.has(path))
    .map((path) => `${theirName(path) ?? "a name that LipsFormer doesn't have"} (${path})`);
  if (missing.length + leftOver.length + misshapen.length > 0) {
    const problem = { file, model: model.name, missing, leftOver, misshapen };
    return bad(diagnostic("weights-differ", null, problem));
  }
  const outside = model.weights.find(({ path, range }) => {
    const data = found.get(path)?.data;
    return range && data && Array.from(data, Number).some((x) => !(x >= range[0] && x <= range[1]));
  });
  if (outside) {
    const problem = `\`${outside.path}\` holds a number outside of its declared range [${outside.range?.join(", ")}]`;
    return bad(diagnostic("checkpoint-mismatch", null, { path: file, problem }));
  }
  return good({
    tensors: new Map(model.weights.map((w) => [w.path, found.get(w.path) as StoredTensor])),
    ignored,
  });
}

/** Our weights under the released LipsFormer's names and shapes. */
export function toLipsformer(file: string, ours: Tensors, model: Model): Result<Converted> {
  const tensors = new Map<string, StoredTensor>();
  const missing: string[] = [];
  const misshapen: string[] = [];
  const leftOver = [...ours.keys()].filter((name) => !model.weights.some((w) => w.path === name));
  for (const weight of model.weights) {
    const tensor = ours.get(weight.path);
    const name = theirName(weight.path);
    if (!tensor) missing.push(weight.path);
    else if (name === null) leftOver.push(`${weight.path} (LipsFormer has no such weight)`);
    else if (tensor.shape.join() !== weight.shape.join())
      misshapen.push(
        `${weight.path}: [${tensor.shape.join(", ")}], and the model's is [${weight.shape.join(", ")}]`,
      );
    // Their 1×1 convolution is our matrix.
    else
      tensors.set(name, name.endsWith("nin.weight") ? { ...tensor, shape: [...tensor.shape, 1, 1] } : tensor);
  }
  const own = leftOver.filter((name) => !name.startsWith("optimizer/"));
  if (missing.length + own.length + misshapen.length > 0)
    return bad(
      diagnostic("weights-differ", null, { file, model: model.name, missing, leftOver: own, misshapen }),
    );
  return good({ tensors, ignored: leftOver.filter((name) => name.startsWith("optimizer/")) });
}

/** In the weight's shape, where they differ in axes of size 1 only; as float32. */
function fit({ shape, data }: StoredTensor, weight: Weight): StoredTensor | null {
  const plain = (dims: readonly number[]): string => dims.filter((n) => n !== 1).join();
  if (plain(shape) !== plain(weight.shape)) return null;
  return {
    dtype: "F32",
    shape: weight.shape,
    data: data instanceof Float32Array ? data : Float32Array.from(data, Number),
  };
}
