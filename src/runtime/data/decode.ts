/** Image files as pixels of the input's size, by sharp (libvips). A cut-off or broken file is an error, never half a picture. */
import type { Sharp } from "sharp";
import { readBytes } from "../files.ts";
import type { Stream } from "../stream.ts";
import { damaged, good, unexpected, type Result } from "../result.ts";
import { middleOf, randomPart, type Part } from "./crops.ts";

/** Endings of the files that are read. */
export const imageEndings: ReadonlySet<string> = new Set([".png", ".jpg", ".jpeg"]);

/** A picture with more pixels is refused: a small file may unpack to gigabytes. */
const mostPixels = 100_000_000;

/** The whole image, resized (bicubic) to [height, width, 1 or 3] bytes whatever its proportions. */
export function decodeWhole(path: string, shape: readonly number[]): Promise<Result<Uint8Array>> {
  return pixelsOf(path, shape, (image, [height, width]) =>
    Promise.resolve(image.resize(width, height, { fit: "fill", kernel: "cubic" })),
  );
}

/**
 * A part of the image, resized (bicubic) to [height, width, 1 or 3] bytes: at random for training, the middle without
 * `random`; see crops.ts.
 */
export function decodeCrop(
  path: string,
  shape: readonly number[],
  random: Stream | null,
): Promise<Result<Uint8Array>> {
  return pixelsOf(path, shape, async (image, [height, width]) => {
    const { width: w, height: h } = await image.metadata();
    if (random) {
      const { part, mirrored } = randomPart(h, w, random);
      return image
        .extract(extraction(part))
        .resize(width, height, { fit: "fill", kernel: "cubic" })
        .flop(mirrored);
    }
    const { size, part } = middleOf(h, w, height, width);
    return image
      .resize(size.width, size.height, { fit: "fill", kernel: "cubic", fastShrinkOnLoad: false })
      .extract(extraction(part));
  });
}

function extraction({ top, left, height, width }: Part) {
  return { top, left, height, width };
}

async function pixelsOf(
  path: string,
  shape: readonly number[],
  view: (image: Sharp, shape: readonly number[]) => Promise<Sharp>,
): Promise<Result<Uint8Array>> {
  const [height, width, channels] = shape;
  const bytes = readBytes(path, "image");
  if (!bytes.ok) return bytes;
  const { default: sharp } = await import("sharp");
  try {
    const image = sharp(bytes.value, { failOn: "truncated", limitInputPixels: mostPixels });
    const viewed = (await view(image, shape))
      .flatten({ background: "#000" })
      .toColourspace(channels === 1 ? "b-w" : "srgb");
    const { data, info } = await viewed.raw().toBuffer({ resolveWithObject: true });
    if (info.channels !== channels || data.length !== height * width * channels)
      return unexpected(
        path,
        `it decodes to ${info.channels} channels, the input has ${channels}`,
        "save it in grey or RGB",
      );
    return good(new Uint8Array(data));
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    if (reason.includes("unsupported image format"))
      return unexpected(path, "it is no image that can be read here", "PNG and JPEG files can be read");
    return damaged(path, `the image can't be decoded (${reason.replace(/[:\s]+$/, "")})`);
  }
}
