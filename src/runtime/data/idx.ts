/**
 * IDX, the format of MNIST: two zero bytes, a type byte (8: unsigned bytes), the number of dimensions,
 * each dimension as big-endian uint32, then the entries. Files may be gzipped. Source: LeCun et al., the MNIST page.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { readBytes } from "../files.ts";
import { damaged, good, layouts, missing, unexpected, type Result } from "../result.ts";
import type { Data, Samples } from "./samples.ts";

export interface IdxArray {
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** Parses the bytes of an IDX file of unsigned bytes, gzipped or plain. */
export function parseIdx(bytes: Uint8Array, name: string): Result<IdxArray> {
  if (bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: 2 ** 31 - 1 });
    } catch (cause) {
      return damaged(
        name,
        `it can't be unzipped (${cause instanceof Error ? cause.message : String(cause)})`,
      );
    }
  }
  if (bytes.length < 4) return damaged(name, `it has only ${bytes.length} bytes`);
  const [zero0, zero1, type, rank] = bytes;
  if (zero0 !== 0 || zero1 !== 0)
    return unexpected(name, "it doesn't begin with the two zero bytes of the IDX format", layouts);
  if (type !== 8)
    return unexpected(
      name,
      `its entries are of type 0x${type.toString(16)}, not unsigned bytes (0x8)`,
      "store bytes, or other numbers as .npy files: x.npy and y.npy",
    );
  if (rank < 1 || bytes.length < 4 + 4 * rank) return damaged(name, "its header is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = dims.reduce((a, b) => a * b, 1);
  const data = bytes.subarray(4 + 4 * rank);
  if (data.length !== count)
    return damaged(name, `its header speaks of ${dims.join(" × ")} entries, there are ${data.length}`);
  return good({ dims, data });
}

/** A folder with `train-images-idx3-ubyte[.gz]`, `train-labels-idx1-ubyte[.gz]` and the same with `t10k`. */
export function readIdxFolder(
  folder: string,
  title: string,
  classNames: readonly string[] | null,
): Result<Data> {
  const train = readPair(folder, "train", `${title}, training set`, classNames);
  if (!train.ok) return train;
  const name = `${title} (${folder})`;
  if (!find(folder, "t10k-images-idx3-ubyte")) return good({ name, train: train.value, test: null });
  const test = readPair(folder, "t10k", `${title}, test set`, classNames);
  return test.ok ? good({ name, train: train.value, test: test.value }) : test;
}

/** Whether a folder looks like one of IDX files. */
export function isIdxFolder(folder: string): boolean {
  return find(folder, "train-images-idx3-ubyte") !== null;
}

function find(folder: string, base: string): string | null {
  return [join(folder, base), join(folder, `${base}.gz`)].find((path) => existsSync(path)) ?? null;
}

const ownNames = "see that images and labels have their own names, as they were distributed";

function readPair(
  folder: string,
  part: string,
  title: string,
  classNames: readonly string[] | null,
): Result<Samples> {
  const files: IdxArray[] = [];
  const paths: string[] = [];
  for (const base of [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`]) {
    const path = find(folder, base);
    if (!path) return missing(join(folder, `${base}.gz`), "data file");
    const bytes = readBytes(path, "data file");
    if (!bytes.ok) return bytes;
    const file = parseIdx(bytes.value, path);
    if (!file.ok) return file;
    files.push(file.value);
    paths.push(path);
  }
  const [images, labels] = files;
  if (images.dims.length !== 3)
    return unexpected(paths[0], `images have 3 dimensions, this file has ${images.dims.length}`, ownNames);
  if (labels.dims.length !== 1)
    return unexpected(paths[1], `labels have 1 dimension, this file has ${labels.dims.length}`, ownNames);
  if (images.dims[0] !== labels.dims[0]) {
    return unexpected(
      paths[1],
      `it has ${labels.dims[0]} labels for the ${images.dims[0]} images of ${paths[0]}`,
      "take images and labels of the same set",
    );
  }
  return good(
    byteImages(
      `${title} (${folder})`,
      images.data,
      labels.data,
      [images.dims[1], images.dims[2], 1],
      classNames,
    ),
  );
}

/** Samples over images kept as bytes; values come out as byte / 255. */
export function byteImages(
  name: string,
  bytes: Uint8Array,
  labels: ArrayLike<number>,
  shape: readonly number[],
  classNames: readonly string[] | null,
): Samples {
  let largest = -1;
  for (let i = 0; i < labels.length; i++) largest = Math.max(largest, labels[i]);
  return {
    name,
    count: labels.length,
    shape,
    low: 0,
    high: 1,
    classes: largest + 1,
    classNames,
    source: { kind: "bytes", bytes },
    labelOf: (sample) => labels[sample],
    pathOf: () => null,
  };
}
