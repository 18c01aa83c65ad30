/** Where the values of samples come from, as data that can be handed to a worker thread, and how one is read. */
import type { Stream } from "../stream.ts";
import { good, type Result } from "../result.ts";
import { decodeCrop, decodeWhole } from "./decode.ts";

export type Source =
  /** One after the other in memory; values are byte/255. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "numbers"; readonly numbers: Float32Array }
  /** An image file each. "whole": resized to the input's size; "crop": a part of it, as ImageNet's recipes have it. */
  | { readonly kind: "files"; readonly view: "whole" | "crop"; readonly cache: PixelCache | null };

/** Decoded pixels of all samples, shared by all threads. */
export interface PixelCache {
  /** [count, …shape] bytes. */
  readonly pixels: Uint8Array;
  /** 1 for each sample that is there. */
  readonly filled: Int32Array;
}

/** Memory that decoded images may take. */
const mostCached = 2 ** 30;

/** null where the images would take too much memory: then each is decoded every time. */
export function pixelCache(count: number, size: number): PixelCache | null {
  if (count * size > mostCached) return null;
  return {
    pixels: new Uint8Array(new SharedArrayBuffer(count * size)),
    filled: new Int32Array(new SharedArrayBuffer(4 * count)),
  };
}

/** The same source in memory that threads share instead of copying it. */
export function shared(source: Source): Source {
  const share = <T extends Uint8Array | Float32Array>(array: T, into: (b: SharedArrayBuffer) => T): T => {
    const copy = into(new SharedArrayBuffer(array.byteLength));
    copy.set(array);
    return copy;
  };
  switch (source.kind) {
    case "bytes":
      return { kind: "bytes", bytes: share(source.bytes, (b) => new Uint8Array(b)) };
    case "numbers":
      return { kind: "numbers", numbers: share(source.numbers, (b) => new Float32Array(b)) };
    case "files":
      return source;
  }
}

/**
 * Writes one sample into `image`, float32 of the samples' shape. `random` is the sample's own stream, for readers that
 * choose a part of a picture at random; null asks for the middle, as tests do. Samples in memory are there at once,
 * files as soon as they are decoded.
 */
export function readRow(
  source: Source,
  { sample, path }: { readonly sample: number; readonly path: string | null },
  image: Float32Array,
  shape: readonly number[],
  random: Stream | null,
): Promise<Result<void>> | null {
  switch (source.kind) {
    case "bytes":
      fromBytes(source.bytes, sample * image.length, image);
      return null;
    case "numbers":
      image.set(source.numbers.subarray(sample * image.length, (sample + 1) * image.length));
      return null;
    case "files":
      return readFile(source, sample, path ?? "", image, shape, random);
  }
}

async function readFile(
  { view, cache }: Extract<Source, { kind: "files" }>,
  sample: number,
  path: string,
  image: Float32Array,
  shape: readonly number[],
  random: Stream | null,
): Promise<Result<void>> {
  if (cache && Atomics.load(cache.filled, sample) === 1) {
    fromBytes(cache.pixels, sample * image.length, image);
    return good(undefined);
  }
  const pixels = await (view === "whole" ? decodeWhole(path, shape) : decodeCrop(path, shape, random));
  if (!pixels.ok) return pixels;
  if (cache) {
    cache.pixels.set(pixels.value, sample * image.length);
    Atomics.store(cache.filled, sample, 1);
  }
  fromBytes(pixels.value, 0, image);
  return good(undefined);
}

function fromBytes(bytes: Uint8Array, at: number, image: Float32Array): void {
  for (let i = 0; i < image.length; i++) image[i] = bytes[at + i] / 255;
}
