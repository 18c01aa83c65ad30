/**
 * ImageNet as it is distributed to train on: `train/<class>/*.JPEG` and `val/<class>/*.JPEG` (or `test/`), for any
 * number of classes; `.jpg`, `.jpeg` and `.png` too. A class's number is the place of its folder among the sorted names
 * in `train`. Folders are listed once, without a look at the 1.3 million files; each is read when its turn comes.
 */
import { basename, extname, join } from "node:path";
import { isFolder, listFolder } from "../files.ts";
import { good, missing, unexpected, type Result } from "../result.ts";
import { imageEndings } from "./decode.ts";
import type { Data, Samples } from "./samples.ts";

const layout =
  "--data names the folder that holds train/<class>/ and val/<class>/, one folder of images for each class";

/** Told while folders are listed: how many of how many of this part are done. */
export type OnListing = (part: string, done: number, of: number) => void;

/** Samples come out as [size, size, 3] in [0, 1]: random crops for training, middle ones for tests (crops.ts). */
export function readImagenet(folder: string, size: number, onListing: OnListing): Result<Data> {
  const train = join(folder, "train");
  if (!isFolder(train)) return missing(train, "folder of training images", layout);
  const names = listFolder(train);
  if (!names.ok) return names;
  const classes = names.value.folders;
  if (classes.length === 0)
    return unexpected(train, "it has no folders with images, one for each class", layout);
  const training = listed(train, classes, onListing);
  if (!training.ok) return training;
  const empty = training.value.findIndex((files) => files.length === 0);
  if (empty >= 0)
    return unexpected(
      join(train, classes[empty]),
      `the class has no ${[...imageEndings].join(", ")} files to learn from`,
      "put its images back, or take the empty folder away: every folder is a class",
    );
  const testFolder = ["val", "test"].map((name) => join(folder, name)).find(isFolder);
  if (testFolder === undefined)
    return good({ name: `ImageNet (${folder})`, train: samples(train, training.value), test: null });
  const tests = testClasses(testFolder, classes, onListing);
  if (!tests.ok) return tests;
  return good({
    name: `ImageNet (${folder})`,
    train: samples(train, training.value),
    test: samples(testFolder, tests.value),
  });

  function samples(part: string, files: readonly (readonly string[])[]): Samples {
    return imageSamples(`ImageNet, ${basename(part)} (${folder})`, part, classes, files, size);
  }
}

/** Test images by class; a class may lack them, but all that are there must be known. */
function testClasses(folder: string, classes: readonly string[], onListing: OnListing): Result<string[][]> {
  const here = listFolder(folder);
  if (!here.ok) return here;
  if (here.value.folders.length === 0 && here.value.files.some(isImage))
    return unexpected(
      folder,
      "its images lie side by side, so that nothing says what they show",
      "sort them into one folder for each class, named as in the training set",
    );
  const known = new Set(classes);
  const stranger = here.value.folders.find((name) => !known.has(name));
  if (stranger !== undefined)
    return unexpected(join(folder, stranger), "the training folder has no class of this name", layout);
  const present = new Set(here.value.folders);
  const found = listed(
    folder,
    classes.filter((name) => present.has(name)),
    onListing,
  );
  if (!found.ok) return found;
  if (found.value.every((files) => files.length === 0))
    return unexpected(
      folder,
      `it holds no ${[...imageEndings].join(", ")} files in its class folders`,
      layout,
    );
  const lists = found.value.values();
  return good(classes.map((name) => (present.has(name) ? (lists.next().value ?? []) : [])));
}

/** Names of the images of each class, sorted. */
function listed(folder: string, classes: readonly string[], onListing: OnListing): Result<string[][]> {
  const lists: string[][] = [];
  for (const name of classes) {
    const files = listFolder(join(folder, name));
    if (!files.ok) return files;
    lists.push(files.value.files.filter(isImage));
    onListing(basename(folder), lists.length, classes.length);
  }
  return good(lists);
}

function isImage(name: string): boolean {
  return imageEndings.has(extname(name).toLowerCase());
}

function imageSamples(
  name: string,
  folder: string,
  classes: readonly string[],
  files: readonly (readonly string[])[],
  size: number,
): Samples {
  /** Number of the first sample of each class, and of all. */
  const starts = [0];
  for (const list of files) starts.push(starts[starts.length - 1] + list.length);
  const labelOf = (sample: number): number => {
    let [low, high] = [0, files.length];
    // starts[low] ≤ sample < starts[high]
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= sample) low = middle;
      else high = middle;
    }
    return low;
  };
  return {
    name,
    count: starts[starts.length - 1],
    shape: [size, size, 3],
    low: 0,
    high: 1,
    classes: classes.length,
    classNames: classes,
    source: { kind: "files", view: "crop", cache: null },
    labelOf,
    pathOf: (sample) => {
      const label = labelOf(sample);
      return join(folder, classes[label], files[label][sample - starts[label]]);
    },
  };
}
