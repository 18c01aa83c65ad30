/**
 * An image folder: `train/<class>/*.png|jpg|jpeg` and `test/<class>/…` (or `val`), or `<class>/…` alone.
 * Decoded and resized by sharp (libvips) to the input's size: whole image, bicubic, then values byte / 255.
 * Images are decoded once, on first use, and kept as bytes.
 */
import { basename, extname, join } from "node:path";
import { isFolder, readBytes, readFolder } from "../files.ts";
import { damaged, good, type Result } from "../result.ts";
import type { Data, Samples } from "./samples.ts";

const endings = new Set([".png", ".jpg", ".jpeg"]);

interface Listed {
  readonly path: string;
  readonly label: number;
}

/** `shape` is the model's input, [h, w, 1] or [h, w, 3]. */
export function readImageFolder(folder: string, shape: readonly number[]): Result<Data> {
  if (shape.length !== 3 || (shape[2] !== 1 && shape[2] !== 3)) {
    const input = `[${shape.join(", ")}]`;
    return damaged(folder, `it holds no IDX and no .npy files, and images don't fit an input of ${input}`);
  }
  const trainFolder = subfolder(folder, ["train"]) ?? folder;
  const testFolder = subfolder(folder, ["test", "val"]);
  if (testFolder && trainFolder === folder)
    return damaged(folder, `it has \`${basename(testFolder)}\` but no \`train\``);
  const classes = folders(trainFolder);
  if (!classes.ok) return classes;
  if (classes.value.length === 0) return damaged(folder, "it has no folders with images, one for each class");
  const train = list(trainFolder, classes.value);
  if (!train.ok) return train;
  const test = testFolder ? list(testFolder, classes.value) : null;
  if (test && !test.ok) return test;
  return good({
    name: `images of ${folder}`,
    train: imageSamples(trainFolder, train.value, shape, classes.value),
    test: test && testFolder ? imageSamples(testFolder, test.value, shape, classes.value) : null,
  });
}

function subfolder(folder: string, names: readonly string[]): string | null {
  return names.map((n) => join(folder, n)).find(isFolder) ?? null;
}

function folders(folder: string): Result<string[]> {
  const names = readFolder(folder);
  return names.ok ? good(names.value.filter((name) => isFolder(join(folder, name)))) : names;
}

/** The images of the classes, class by class. A class may lack images here; a folder may not lack a class. */
function list(folder: string, classes: readonly string[]): Result<Listed[]> {
  const here = folders(folder);
  if (!here.ok) return here;
  const stranger = here.value.find((name) => !classes.includes(name));
  if (stranger !== undefined)
    return damaged(join(folder, stranger), "the training folder has no class of this name");
  const found: Listed[] = [];
  for (const [label, name] of classes.entries()) {
    if (!here.value.includes(name)) continue;
    const files = readFolder(join(folder, name));
    if (!files.ok) return files;
    for (const file of files.value)
      if (endings.has(extname(file).toLowerCase())) found.push({ path: join(folder, name, file), label });
  }
  return found.length > 0
    ? good(found)
    : damaged(folder, "it holds no .png, .jpg or .jpeg files in its class folders");
}

function imageSamples(
  folder: string,
  files: readonly Listed[],
  shape: readonly number[],
  classNames: readonly string[],
): Samples {
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const decoded = new Array<Uint8Array | undefined>(files.length);
  return {
    name: `images of ${folder}`,
    count: files.length,
    shape,
    low: 0,
    high: 1,
    classes: classNames.length,
    classNames,
    fill: async (which, values, labels) => {
      const results = await Promise.all(
        which.map(async (sample) => {
          if (decoded[sample]) return good(decoded[sample]);
          const pixels = await decode(files[sample].path, height, width, channels);
          if (pixels.ok) decoded[sample] = pixels.value;
          return pixels;
        }),
      );
      for (const [row, pixels] of results.entries()) {
        if (!pixels.ok) return pixels;
        for (let i = 0; i < size; i++) values[row * size + i] = pixels.value[i] / 255;
        labels[row] = files[which[row]].label;
      }
      return good(undefined);
    },
  };
}

/** One image as height·width·channels bytes. A cut-off or broken file is an error, never a half-grey picture. */
export async function decode(
  path: string,
  height: number,
  width: number,
  channels: number,
): Promise<Result<Uint8Array>> {
  const bytes = readBytes(path, "image");
  if (!bytes.ok) return bytes;
  const { default: sharp } = await import("sharp");
  try {
    const image = sharp(bytes.value, { failOn: "truncated", limitInputPixels: 100_000_000 })
      .flatten({ background: "#000" })
      .resize(width, height, { fit: "fill", kernel: "cubic" })
      .toColourspace(channels === 1 ? "b-w" : "srgb");
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    if (info.channels !== channels || data.length !== height * width * channels) {
      return damaged(path, `it decodes to ${info.channels} channels, the input has ${channels}`);
    }
    return good(new Uint8Array(data));
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    return damaged(path, `the image can't be decoded (${reason.replace(/[:\s]+$/, "")})`);
  }
}
