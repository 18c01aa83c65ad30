/**
 * The safetensors format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
 * then the tensors' bytes without gaps. Source: the format's own specification (Hugging Face, safetensors).
 * A reader of untrusted files: every length, offset and shape is checked before use.
 */
import { damaged, good, unexpected, type Result } from "./result.ts";

export type StoredDType = "F64" | "F32" | "I64" | "I32" | "U8" | "BOOL";

export interface StoredTensor {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly data: Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array;
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const views = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** The format's own cap, against headers that would fill the memory. */
const longestHeader = 100_000_000;

/** Reads a whole file; `name` is what errors call it. Tensors are copies, aligned. */
export function readSafetensors(bytes: Uint8Array, name: string): Result<SafetensorsFile> {
  if (bytes.length < 8)
    return damaged(
      name,
      `it has ${bytes.length} bytes, a safetensors file begins with 8 for its header's length`,
    );
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  // The first bytes of a text or of another format, read as a length, are far above it.
  if (length > longestHeader) {
    const problem = "it doesn't begin with a header's length, as safetensors files do";
    return unexpected(name, problem, "name a .safetensors file");
  }
  if (8 + length > bytes.length)
    return damaged(name, `its header should be ${length} bytes long, the file has ${bytes.length}`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    return damaged(name, "its header is not JSON");
  }
  if (!isRecord(header)) return damaged(name, "its header is not a JSON object");

  const body = bytes.subarray(8 + length);
  const tensors = new Map<string, StoredTensor>();
  const ranges: [number, number][] = [];
  let metadata: Record<string, string> = {};
  for (const [key, entry] of Object.entries(header)) {
    if (key === "__metadata__") {
      if (!isRecord(entry) || !Object.values(entry).every((v) => typeof v === "string"))
        return damaged(name, "its metadata are not texts");
      metadata = entry as Record<string, string>;
      continue;
    }
    if (isRecord(entry) && typeof entry.dtype === "string" && !Object.hasOwn(views, entry.dtype)) {
      const problem = `tensor \`${key}\` has the dtype ${entry.dtype}`;
      return unexpected(name, problem, `save it as one of ${Object.keys(views).join(", ")}`);
    }
    const tensor = readTensor(entry, body);
    if (typeof tensor === "string") return damaged(name, `tensor \`${key}\` ${tensor}`);
    tensors.set(key, tensor.tensor);
    ranges.push(tensor.range);
  }
  ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let end = 0;
  for (const [from, to] of ranges) {
    if (from !== end) return damaged(name, "its tensors overlap or leave gaps");
    end = to;
  }
  if (end !== body.length)
    return damaged(name, `it has ${body.length} bytes of tensors, its header speaks of ${end}`);
  return good({ tensors, metadata });
}

function readTensor(
  entry: unknown,
  body: Uint8Array,
): { tensor: StoredTensor; range: [number, number] } | string {
  if (!isRecord(entry)) return "has no description";
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string") return "has no dtype";
  if (!Array.isArray(shape) || !shape.every(isSize)) return "has no proper shape";
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    return "has no proper offsets";
  const View = views[dtype as StoredDType];
  const [from, to] = offsets as [number, number];
  const count = (shape as number[]).reduce((a, b) => a * b, 1);
  if (to < from || to > body.length) return "lies outside the file";
  if (count * View.BYTES_PER_ELEMENT !== to - from)
    return `has ${to - from} bytes, its shape [${shape.join(", ")}] needs ${count * View.BYTES_PER_ELEMENT}`;
  // A Buffer's slice would share its memory and its alignment.
  const copy = new Uint8Array(body.subarray(from, to));
  return {
    tensor: { dtype: dtype as StoredDType, shape: shape as number[], data: new View(copy.buffer) },
    range: [from, to],
  };
}

/** Bytes of a file with these tensors, in the given order; metadata are texts. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  // Widest type first keeps every tensor aligned to its own width.
  const ordered = [...tensors].sort((a, b) => b[1].data.BYTES_PER_ELEMENT - a[1].data.BYTES_PER_ELEMENT);
  let offset = 0;
  for (const [name, t] of ordered) {
    header[name] = { dtype: t.dtype, shape: t.shape, data_offsets: [offset, offset + t.data.byteLength] };
    offset += t.data.byteLength;
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  const head = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + head.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let at = 8 + head.length;
  for (const [, t] of ordered) {
    bytes.set(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength), at);
    at += t.data.byteLength;
  }
  return bytes;
}

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

function isSize(x: unknown): x is number {
  return typeof x === "number" && Number.isSafeInteger(x) && x >= 0;
}
