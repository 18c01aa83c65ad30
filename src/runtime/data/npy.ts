/** NumPy's .npy format, versions 1 to 3: magic, version, header length, a Python dictionary, the array's bytes. */
import { damaged, good, unexpected, type Result } from "../result.ts";

export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint8Array | Int32Array | BigInt64Array;
}

const kinds: Record<string, { bytes: number; read: (copy: ArrayBuffer) => NpyArray["data"] }> = {
  "<f4": { bytes: 4, read: (b) => new Float32Array(b) },
  "<f8": { bytes: 8, read: (b) => new Float64Array(b) },
  "|u1": { bytes: 1, read: (b) => new Uint8Array(b) },
  "<i4": { bytes: 4, read: (b) => new Int32Array(b) },
  "<i8": { bytes: 8, read: (b) => new BigInt64Array(b) },
};

/** Parses a C-ordered little-endian array of float32, float64, uint8, int32 or int64. */
export function parseNpy(bytes: Uint8Array, name: string): Result<NpyArray> {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || !magic.every((b, i) => bytes[i] === b))
    return unexpected(name, "it doesn't begin with NumPy's magic bytes", "write it with numpy.save");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6] >= 2;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > bytes.length) return damaged(name, "its header is cut off");
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const dims = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || dims === undefined)
    return damaged(name, "its header can't be read");
  const kind = kinds[descr];
  if (!kind)
    return unexpected(
      name,
      `its dtype is ${descr}`,
      `save one of ${Object.keys(kinds).join(", ")}: x.astype("float32") is one`,
    );
  if (fortran === "True")
    return unexpected(
      name,
      "its entries are in Fortran order",
      "save it in C order: numpy.save(file, numpy.ascontiguousarray(x))",
    );
  const shape = dims
    .split(",")
    .map((s) => s.trim())
    .filter((s) => s !== "")
    .map(Number);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    return damaged(name, `its shape (${dims}) can't be read`);
  const count = shape.reduce((a, b) => a * b, 1);
  const body = new Uint8Array(bytes.subarray(start + length));
  if (body.length !== count * kind.bytes) {
    return damaged(name, `its header speaks of ${count * kind.bytes} bytes, there are ${body.length}`);
  }
  return good({ shape, data: kind.read(body.buffer) });
}
