/** PyTorch's own checkpoints (`torch.save`, PyTorch 1.6 or newer): a zip with a pickle and the tensors' bytes. */
import { damaged, good, unexpected, type Result } from "../result.ts";
import type { StoredTensor } from "../safetensors.ts";
import { isKind, OtherPickle, PickleError, unpickle, type Value } from "./pickle.ts";
import { readZip } from "./zip.ts";

/** Bytes of an element, and how one is read. */
const storages: Readonly<
  Record<string, readonly [width: number, read: (view: DataView, at: number) => number]>
> = {
  FloatStorage: [4, (v, at) => v.getFloat32(at, true)],
  DoubleStorage: [8, (v, at) => v.getFloat64(at, true)],
  HalfStorage: [2, (v, at) => half(v.getUint16(at, true))],
  BFloat16Storage: [2, (v, at) => brain(v.getUint16(at, true))],
  LongStorage: [8, (v, at) => Number(v.getBigInt64(at, true))],
  IntStorage: [4, (v, at) => v.getInt32(at, true)],
  ShortStorage: [2, (v, at) => v.getInt16(at, true)],
  CharStorage: [1, (v, at) => v.getInt8(at)],
  ByteStorage: [1, (v, at) => v.getUint8(at)],
  BoolStorage: [1, (v, at) => v.getUint8(at)],
};

const whatToSave =
  "save the model's tensors with PyTorch 1.6 or newer: torch.save(model.state_dict(), file), or as .safetensors";

/** All tensors of the state_dict (under `model` or `state_dict` where the file holds more), as float32. */
export function readPth(bytes: Uint8Array, name: string): Result<ReadonlyMap<string, StoredTensor>> {
  try {
    const files = readZip(bytes, name);
    return files.ok ? stateIn(files.value, name) : files;
  } catch (error) {
    if (error instanceof OtherPickle) return unexpected(name, error.message, whatToSave);
    if (error instanceof PickleError) return damaged(name, error.message);
    // An offset or a size in a damaged file that leads out of it.
    if (error instanceof RangeError) return damaged(name, "a place that it speaks of lies outside of it");
    throw error;
  }
}

function stateIn(
  files: ReadonlyMap<string, Uint8Array>,
  name: string,
): Result<ReadonlyMap<string, StoredTensor>> {
  const pickle = [...files].find(([file]) => /(^|\/)data\.pkl$/.test(file));
  if (!pickle) return unexpected(name, "it is a zip archive without data.pkl", whatToSave);
  const folder = pickle[0].slice(0, -"data.pkl".length);
  const order = files.get(`${folder}byteorder`);
  if (order && new TextDecoder().decode(order).trim() === "big")
    return unexpected(name, "its numbers are big-endian", "load and save it on a little-endian machine");
  const tensors = new Map<string, StoredTensor>();
  for (const [key, value] of entriesOf(stateOf(unpickle(pickle[1])))) {
    if (typeof key !== "string") continue;
    const tensor = tensorOf(value, (file) => files.get(`${folder}data/${file}`));
    if (tensor) tensors.set(key.replace(/^module\./, ""), tensor);
  }
  return tensors.size === 0
    ? unexpected(name, "no tensors with names were found in it", whatToSave)
    : good(tensors);
}

function entriesOf(value: Value): ReadonlyMap<Value, Value> {
  if (isKind(value, "dictionary")) return value.entries;
  // collections.OrderedDict
  if (isKind(value, "made") && isKind(value.by, "symbol") && value.by.name === "OrderedDict")
    return value.entries;
  throw new OtherPickle("it holds no dictionary of tensors");
}

function stateOf(whole: Value): Value {
  const entries = entriesOf(whole);
  for (const key of ["model", "state_dict", "model_state_dict"]) {
    const inner = entries.get(key);
    if (inner !== undefined) return inner;
  }
  return whole;
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, …)`; null for what is no tensor. */
function tensorOf(value: Value, file: (key: string) => Uint8Array | undefined): StoredTensor | null {
  if (!isKind(value, "made") || !isKind(value.by, "symbol")) return null;
  const { name } = value.by;
  const args = Array.isArray(value.args) ? value.args : [];
  // A parameter is a tensor with marks around it.
  if (name === "_rebuild_parameter") return tensorOf(args[0], file);
  if (name !== "_rebuild_tensor_v2") return null;
  const [storage, offset, shape, stride] = args;
  if (!isKind(storage, "persistent") || !Array.isArray(storage.id))
    throw new PickleError("a tensor has no storage");
  const [, type, key] = storage.id;
  const kind = isKind(type, "symbol") ? storages[type.name] : undefined;
  if (!kind)
    throw new OtherPickle(`a tensor is of the kind ${isKind(type, "symbol") ? type.name : "unknown"}`);
  const bytes = file(String(key));
  if (!bytes) throw new PickleError(`the data of a tensor (data/${String(key)}) are missing`);
  const dims = sizesOf(shape);
  const steps = sizesOf(stride);
  if (typeof offset !== "number" || dims.length !== steps.length)
    throw new PickleError("a tensor has no proper shape");
  return { dtype: "F32", shape: dims, data: gather(bytes, kind, offset, dims, steps) };
}

function sizesOf(value: Value | undefined): number[] {
  if (!Array.isArray(value) || !value.every((n) => typeof n === "number" && n >= 0))
    throw new PickleError("a tensor has no proper shape");
  return value as number[];
}

function gather(
  bytes: Uint8Array,
  [width, read]: (typeof storages)[string],
  offset: number,
  dims: readonly number[],
  steps: readonly number[],
): Float32Array {
  const count = dims.reduce((a, b) => a * b, 1);
  const last = offset + dims.reduce((sum, n, i) => sum + (n - 1) * steps[i], 0);
  // A tensor that repeats its data (a stride of 0) could be of any size.
  if (count * width > bytes.length || (count > 0 && (last + 1) * width > bytes.length))
    throw new PickleError("the data of a tensor are cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(count);
  const at = dims.map(() => 0);
  let place = offset;
  for (let i = 0; i < count; i++) {
    data[i] = read(view, place * width);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += steps[axis];
      if (++at[axis] < dims[axis]) break;
      place -= steps[axis] * dims[axis];
      at[axis] = 0;
    }
  }
  return data;
}

/** float16 */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16: the upper half of a float32. */
function brain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits * 65536);
  return view.getFloat32(0);
}
