/**
 * Reads float32 tensors from a safetensors file: 8 bytes little-endian length of a JSON header
 * {name: {dtype, shape, data_offsets}}, then the tensors' bytes. Every length and place is checked: the tensors lie side by
 * side and fill the file, so that nothing is read twice and nothing is left over.
 */
import { parseJson } from "./json.ts";
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
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length));
    header = parseJson(text) as typeof header;
    if (typeof header !== "object" || header === null || Array.isArray(header))
      throw new SyntaxError("it is no object");
  } catch (error) {
    return refuse(`the header of the file can't be read: ${(error as Error).message}`);
  }
  const body = bytes.subarray(8 + length);
  if (!fills(Object.entries(header), body.length)) refuse("the tensors overlap, or don't fill the file");
  return (name) => {
    const entry = Object.hasOwn(header, name) ? header[name] : null;
    if (!entry) return refuse(`the file has no tensor ${name}`);
    const { dtype, shape, data_offsets: place } = entry;
    if (dtype !== "F32") refuse(`${name} is ${String(dtype)}, not F32`);
    const sizes = wholes(shape) ?? refuse(`${name} has no shape`);
    const [from, to] = wholes(place) ?? refuse(`${name} has no place`);
    const count = sizes.reduce((n, size) => n * size, 1);
    const inside = Number.isSafeInteger(from) && from >= 0 && from <= to && to <= body.length;
    if (!inside || to - from !== 4 * count) refuse(`${name} lies outside of the file, or has another size`);
    // A copy: the bytes may not lie at a multiple of four.
    const copy = body.slice(from, to);
    return { shape: sizes, data: new Float32Array(copy.buffer, copy.byteOffset, count) };
  };
}

function wholes(x: unknown): readonly number[] | null {
  const list = Array.isArray(x) ? (x as unknown[]) : [null];
  return list.every((n): n is number => Number.isSafeInteger(n) && (n as number) >= 0) ? list : null;
}

function fills(
  entries: readonly (readonly [string, { data_offsets?: unknown } | null])[],
  size: number,
): boolean {
  const places = entries
    .filter(([name]) => name !== "__metadata__")
    .map(([, entry]) => wholes(entry?.data_offsets) ?? []);
  if (places.some(({ length }) => length !== 2)) return false;
  places.sort(([a, b], [c, d]) => a - c || b - d);
  let end = 0;
  for (const [from, to] of places) {
    if (from !== end || to < from) return false;
    end = to;
  }
  return end === size;
}
