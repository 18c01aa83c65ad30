/** Finds the data that a spec or `--data` names, and checks that it is what the model's input and bound are about. trust: T12 */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Domain, Model } from "../../model/model.ts";
import { bundled } from "../bundled.ts";
import { isFolder, seen } from "../files.ts";
import { bad, missing, type Result } from "../result.ts";
import { isIdxFolder, readIdxFolder } from "./idx.ts";
import { readImageFolder } from "./images.ts";
import { readImagenet, type OnListing } from "./imagenet.ts";
import type { Data, Samples } from "./samples.ts";
import { isNpyFolder, readNpyFolder, readTensorFile } from "./tensors.ts";

const fashionClasses = [
  "T-shirt",
  "trouser",
  "pullover",
  "dress",
  "coat",
  "sandal",
  "shirt",
  "sneaker",
  "bag",
  "ankle boot",
];

/**
 * The data of a run: `override` (from --data: a folder of IDX files, of .npy files or of images, or a .safetensors
 * file) in place of what the spec says; an image folder is read as the spec says, where it says `imagenet`. Checks
 * shapes, the declared domain and the labels. `onListing` hears how far long lists of files have come.
 */
export function openData(
  model: Model,
  override: string | null,
  onListing: OnListing = () => undefined,
): Result<Data> {
  const input = model.inputs[0];
  const shape = model.values[input.value].shape;
  const data = override !== null ? openOverride(model, override, shape, onListing) : openNamed(model, shape);
  if (!data.ok) return data;
  for (const samples of [data.value.train, data.value.test]) {
    if (!samples) continue;
    const problem = misfit(model, samples);
    if (problem) return bad(problem);
  }
  return data;
}

function openNamed(model: Model, shape: readonly number[]): Result<Data> {
  const option = model.train?.data ?? null;
  if (!option) return bad(diagnostic("no-data", null, { model: model.name }));
  const besideSpec = (path: string): Result<Data> => {
    const full = seen(resolve(dirname(model.file), path));
    return existsSync(full)
      ? openPath(full, shape)
      : missing(
          full,
          "data folder or file",
          "a spec's paths are seen from its own folder; --data names other data",
        );
  };
  switch (option.name) {
    case "fashion_mnist":
      return readIdxFolder(bundled("specs/data/fashion-mnist-mini"), "Fashion-MNIST (mini)", fashionClasses);
    case "images":
      return besideSpec(String(option.args.folder));
    case "table":
      return besideSpec(String(option.args.file));
    case "imagenet":
      return bad(diagnostic("data-elsewhere", model.train?.span ?? null, { kind: option.name }));
    default:
      return bad(diagnostic("data-kind", model.train?.span ?? null, { kind: option.name }));
  }
}

function openOverride(
  model: Model,
  path: string,
  shape: readonly number[],
  onListing: OnListing,
): Result<Data> {
  const option = model.train?.data;
  const otherwise = !isFolder(path) || isIdxFolder(path) || isNpyFolder(path);
  if (option?.name !== "imagenet" || otherwise) return openPath(path, shape);
  const data = readImagenet(path, Number(option.args.size ?? 224), onListing);
  if (!data.ok) return data;
  const few = tooFewClasses(model, data.value.train);
  return few ? bad(few) : data;
}

/** A part of ImageNet under a head for all of it would train, with logits that nothing ever asks for: surely a mistake. */
function tooFewClasses(model: Model, { name, classes }: Samples) {
  const output = model.outputs[0];
  const outputs = model.values[output.value].shape.at(-1) ?? 0;
  if (classes >= outputs) return null;
  return diagnostic("data-classes", output.span, { data: name, classes, outputs, output: output.name });
}

function openPath(path: string, shape: readonly number[]): Result<Data> {
  if (!existsSync(path)) return missing(path, "data folder or file");
  if (!isFolder(path)) return readTensorFile(path);
  if (isIdxFolder(path))
    return readIdxFolder(path, "IDX images", path.includes("fashion") ? fashionClasses : null);
  if (isNpyFolder(path)) return readNpyFolder(path);
  return readImageFolder(path, shape);
}

function misfit(model: Model, samples: Samples) {
  const input = model.inputs[0];
  const output = model.outputs[0];
  const shape = model.values[input.value].shape;
  if (shape.length !== samples.shape.length || shape.some((n, i) => n !== samples.shape[i])) {
    return diagnostic("data-shape", input.span, {
      input: input.name,
      expected: `[${shape.join(", ")}]`,
      found: `[${samples.shape.join(", ")}]`,
      data: samples.name,
    });
  }
  if (!insideDomain(input.domain, samples, shape)) {
    const found = `values from ${short(samples.low)} to ${short(samples.high)}`;
    return diagnostic("data-domain", input.span, {
      input: input.name,
      domain: showDomain(input.domain),
      found,
      data: samples.name,
    });
  }
  const outputShape = model.values[output.value].shape;
  const classes = outputShape[outputShape.length - 1];
  if (samples.classes > classes) {
    return diagnostic("data-labels", output.span, {
      data: samples.name,
      label: samples.classes - 1,
      classes,
      output: output.name,
    });
  }
  return null;
}

/** Whether values in [low, high] surely lie in the domain. A ball is checked by the largest norm that such values allow. */
function insideDomain(domain: Domain, samples: Samples, shape: readonly number[]): boolean {
  const largest = Math.max(Math.abs(samples.low), Math.abs(samples.high));
  switch (domain.kind) {
    case "unbounded":
      return true;
    case "box":
      return samples.low >= domain.low && samples.high <= domain.high;
    case "tokens":
      return samples.low >= 0 && samples.high < domain.count;
    case "ball": {
      const count =
        domain.norm === "linf"
          ? 1
          : domain.norm === "token"
            ? shape[shape.length - 1]
            : shape.reduce((a, b) => a * b, 1);
      return largest * Math.sqrt(count) <= domain.radius;
    }
  }
}

/** Six digits tell float32 numbers apart well enough. */
function short(x: number): string {
  return String(Number(x.toPrecision(6)));
}

export function showDomain(domain: Domain): string {
  switch (domain.kind) {
    case "box":
      return `[${domain.low}, ${domain.high}]`;
    case "ball":
      return `ball(${domain.norm}, ${domain.radius})`;
    case "tokens":
      return `tokens(${domain.count})`;
    case "unbounded":
      return "the whole space";
  }
}
