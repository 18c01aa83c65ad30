/**
 * An image folder: `train/<class>/*.png|jpg|jpeg` and `test/<class>/…` (or `val`), or `<class>/…` alone.
 * Decoded and resized by sharp (libvips) to the input's size: whole image, bicubic, then values byte / 255.
 * Images are decoded once, on first use, and kept as bytes while all together take less than 1 GiB.
 */
import { basename, extname, join } from "node:path";
import { isFolder, readFolder } from "../files.ts";
import { good, layouts, unexpected, type Result } from "../result.ts";
import { imageEndings } from "./decode.ts";
import type { Data, Samples } from "./samples.ts";
import { pixelCache } from "./source.ts";

interface Listed {
  readonly path: string;
  readonly label: number;
}

/** `shape` is the model's input, [h, w, 1] or [h, w, 3]. */
export function readImageFolder(folder: string, shape: readonly number[]): Result<Data> {
  if (shape.length !== 3 || (shape[2] !== 1 && shape[2] !== 3)) {
    const input = `[${shape.join(", ")}]`;
    return unexpected(
      folder,
      `it holds no IDX and no .npy files, and images don't fit an input of ${input}`,
      layouts,
    );
  }
  const trainFolder = subfolder(folder, ["train"]) ?? folder;
  const testFolder = subfolder(folder, ["test", "val"]);
  if (testFolder && trainFolder === folder)
    return unexpected(folder, `it has \`${basename(testFolder)}\` but no \`train\``, layouts);
  const classes = folders(trainFolder);
  if (!classes.ok) return classes;
  if (classes.value.length === 0)
    return unexpected(
      folder,
      "it holds no IDX and no .npy files, and no folders with images, one for each class",
      layouts,
    );
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
    return unexpected(join(folder, stranger), "the training folder has no class of this name", layouts);
  const found: Listed[] = [];
  for (const [label, name] of classes.entries()) {
    if (!here.value.includes(name)) continue;
    const files = readFolder(join(folder, name));
    if (!files.ok) return files;
    for (const file of files.value)
      if (imageEndings.has(extname(file).toLowerCase()))
        found.push({ path: join(folder, name, file), label });
  }
  return found.length > 0
    ? good(found)
    : unexpected(folder, "it holds no .png, .jpg or .jpeg files in its class folders", layouts);
}

function imageSamples(
  folder: string,
  files: readonly Listed[],
  shape: readonly number[],
  classNames: readonly string[],
): Samples {
  const size = shape.reduce((a, b) => a * b, 1);
  return {
    name: `images of ${folder}`,
    count: files.length,
    shape,
    low: 0,
    high: 1,
    classes: classNames.length,
    classNames,
    source: { kind: "files", view: "whole", cache: pixelCache(files.length, size) },
    labelOf: (sample) => files[sample].label,
    pathOf: (sample) => files[sample].path,
  };
}
