// Writes the data of specs/certified-recall.lips: `node scripts/recall-data.mjs FOLDER [--seed N]`.
//
// Associative recall: `items` pairs of a key and a tag, then a query. Keys are drawn anew for every sample, uniform on
// the sphere of radius `norm`; a tag is one of `tags`, one-hot times `norm`; the query is one of the keys plus noise of
// norm about `noise`, with no tag. The label is the tag of that key. Nothing about the keys can be learned by heart: who
// answers has to compare the query with the keys. Same seed, same bytes.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const shape = { items: 8, key: 16, tags: 4, norm: 64, noise: 8 };
const [folder, ...rest] = process.argv.slice(2);
if (!folder || folder.startsWith("-")) {
  console.error("usage: node scripts/recall-data.mjs FOLDER [--seed N]");
  process.exit(2);
}
const seed = rest[0] === "--seed" ? Number(rest[1]) : 0;

mkdirSync(folder, { recursive: true });
write("train", 60_000, 2 * seed + 1);
write("test", 10_000, 2 * seed + 2);
console.log(`60 000 training and 10 000 test samples in ${folder}`);

function write(part, count, start) {
  const { items, key, tags, norm, noise } = shape;
  const [random, width] = [mulberry(start), key + tags];
  const x = new Float32Array(count * (items + 1) * width);
  const y = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const at = (item) => (i * (items + 1) + item) * width;
    const asked = Math.floor(random() * items);
    for (let item = 0; item < items; item++) {
      const direction = Array.from({ length: key }, () => gaussian(random));
      const length = Math.hypot(...direction);
      direction.forEach((d, c) => (x[at(item) + c] = (norm * d) / length));
      const tag = Math.floor(random() * tags);
      x[at(item) + key + tag] = norm;
      if (item === asked) y[i] = tag;
    }
    for (let c = 0; c < key; c++)
      x[at(items) + c] = x[at(asked) + c] + (noise / Math.sqrt(key)) * gaussian(random);
  }
  writeFileSync(join(folder, `${part}_x.npy`), npy("<f4", [count, items + 1, width], x));
  writeFileSync(join(folder, `${part}_y.npy`), npy("<i4", [count], y));
}

/** NumPy's format 1.0: a header that ends on a multiple of 64 bytes, then the numbers. */
function npy(type, dims, data) {
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${dims.join(", ")},), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const start = Buffer.alloc(10);
  start.write("\x93NUMPY\x01\x00", "latin1");
  start.writeUInt16LE(padded.length, 8);
  return Buffer.concat([start, Buffer.from(padded, "latin1"), Buffer.from(data.buffer)]);
}

/** Tommy Ettinger's mulberry32. */
function mulberry(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function gaussian(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
