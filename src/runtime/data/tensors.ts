/**
 * Samples from tensors: a safetensors file with `train_x`, `train_y` (and `test_x`, `test_y`), or `x` and `y`;
 * or a folder with the same names as .npy files. x is [count, …sample shape], y holds whole numbers.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readBytes } from "../files.ts";
import { good, layouts, unexpected, type Result } from "../result.ts";
import { readSafetensors } from "../safetensors.ts";
import { parseNpy } from "./npy.ts";
import type { Data, Samples } from "./samples.ts";

interface Plain {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

export function readTensorFile(path: string): Result<Data> {
  if (!/\.(npy|safetensors)$/.test(path))
    return unexpected(path, "it is neither a folder nor .safetensors", layouts);
  const bytes = readBytes(path, "data file");
  if (!bytes.ok) return bytes;
  if (path.endsWith(".npy")) {
    return unexpected(
      path,
      "it is one array",
      "name the folder that holds x.npy and y.npy, or train_x.npy and so on",
    );
  }
  const file = readSafetensors(bytes.value, path);
  if (!file.ok) return file;
  return assemble(path, (name) => good(file.value.tensors.get(name) ?? null));
}

export function isNpyFolder(folder: string): boolean {
  return ["train_x.npy", "x.npy"].some((name) => existsSync(join(folder, name)));
}

export function readNpyFolder(folder: string): Result<Data> {
  return assemble(folder, (name) => {
    const path = join(folder, `${name}.npy`);
    if (!existsSync(path)) return good(null);
    const bytes = readBytes(path, "data file");
    return bytes.ok ? parseNpy(bytes.value, path) : bytes;
  });
}

function assemble(path: string, get: (name: string) => Result<Plain | null>): Result<Data> {
  for (const prefix of ["train_", ""]) {
    const train = pair(path, prefix, get);
    if (!train.ok) return train;
    if (!train.value) continue;
    const test = pair(path, "test_", get);
    if (!test.ok) return test;
    return good({
      name: path,
      train: train.value,
      test: test.value && test.value.count > 0 ? test.value : null,
    });
  }
  return unexpected(
    path,
    "it holds no tensors `train_x` and `train_y`, nor `x` and `y`",
    "save samples and their labels under these names",
  );
}

function pair(
  path: string,
  prefix: string,
  get: (name: string) => Result<Plain | null>,
): Result<Samples | null> {
  const x = get(`${prefix}x`);
  if (!x.ok) return x;
  const y = get(`${prefix}y`);
  if (!y.ok) return y;
  if (!x.value || !y.value) return good(null);
  const [count, ...shape] = x.value.shape;
  if (count === undefined || y.value.shape.length !== 1 || y.value.shape[0] !== count) {
    return unexpected(
      path,
      `\`${prefix}x\` is [${x.value.shape.join(", ")}] and \`${prefix}y\` [${y.value.shape.join(", ")}]: they must begin with the same count`,
      "save one label for each sample",
    );
  }
  return tensorSamples(path, prefix, x.value.data, y.value.data, shape);
}

function tensorSamples(
  path: string,
  prefix: string,
  x: ArrayLike<number | bigint>,
  y: ArrayLike<number | bigint>,
  shape: readonly number[],
): Result<Samples> {
  let low = Infinity;
  let high = -Infinity;
  const numbers = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) {
    // What the model gets is float32, so that is what must lie in its domain.
    const value = Math.fround(Number(x[i]));
    if (!Number.isFinite(value))
      return unexpected(
        path,
        `\`${prefix}x\` holds ${value} at entry ${i}`,
        "leave such samples out, or put numbers in their place",
      );
    numbers[i] = value;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  let classes = 0;
  for (let i = 0; i < y.length; i++) {
    const label = Number(y[i]);
    if (!Number.isInteger(label) || label < 0)
      return unexpected(
        path,
        `\`${prefix}y\` holds ${label} at entry ${i}`,
        "number the classes: labels are whole numbers from 0",
      );
    classes = Math.max(classes, label + 1);
  }
  return good({
    name: `${path} (${prefix}x)`,
    count: y.length,
    shape,
    low,
    high,
    classes,
    classNames: null,
    source: { kind: "numbers", numbers },
    labelOf: (sample) => Number(y[sample]),
    pathOf: () => null,
  });
}
