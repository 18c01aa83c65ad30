/**
 * Reads float32 tensors from a safetensors file: 8 bytes little-endian length of a JSON header
 * {name: {dtype, shape, data_offsets}}, then the tensors' bytes. Every length and place is checked.
 */
import { Refusal } from "./refusal.ts";

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function readTensors(bytes: Uint8Array): (name: string) => Tensor {
  const refuse = (text: string): never => {
    throw new Refusal("weights", text);
  };
  if (bytes.length < 8) refuse("the file is no safetensors file");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (!(8 + length <= bytes.length)) refuse("the file is cut off");
  let header: Record<string, { dtype?: unknown; shape?: unknown; data_offsets?: unknown }>;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    return refuse("the header of the file is no JSON");
  }
  const body = bytes.subarray(8 + length);
  return (name) => {
    const entry = Object.hasOwn(header, name) ? header[name] : null;
    if (!entry) return refuse(`the file has no tensor ${name}`);
    const { dtype, shape, data_offsets: place } = entry;
    if (dtype !== "F32") refuse(`${name} is ${String(dtype)}, not F32`);
    const sizes = Array.isArray(shape) ? (shape as unknown[]).map(Number) : refuse(`${name} has no shape`);
    const [from, to] = Array.isArray(place)
      ? (place as unknown[]).map(Number)
      : refuse(`${name} has no place`);
    const count = sizes.reduce((n, size) => n * size, 1);
    const inside = Number.isSafeInteger(from) && from >= 0 && from <= to && to <= body.length;
    if (!inside || to - from !== 4 * count) refuse(`${name} lies outside of the file, or has another size`);
    // A copy: the bytes may not lie at a multiple of four.
    const copy = body.slice(from, to);
    return { shape: sizes, data: new Float32Array(copy.buffer, copy.byteOffset, count) };
  };
}
