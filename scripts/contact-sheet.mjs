// A picture of what each augmentation does, to be looked at: one row each, ten samples.
//   node scripts/contact-sheet.mjs OUT.png [IMAGE.jpg …]     (after npm run build)
// The bundled images, or given ones, which are cropped as imagenet's are.
import sharp from "sharp";
import { frameOf } from "../dist/src/runtime/data/augment/augment.js";
import { operations } from "../dist/src/runtime/data/augment/rand-augment.js";
import { readIdxFolder } from "../dist/src/runtime/data/idx.js";
import { rowsOf } from "../dist/src/runtime/workers/rows.js";

const [out, ...images] = process.argv.slice(2);
const columns = 10;
const side = images.length > 0 ? 96 : 28;
const bundled = readIdxFolder("specs/data/fashion-mnist-mini", "", null).value.train;
const samples =
  images.length === 0
    ? bundled
    : { ...bundled, shape: [side, side, 3], source: { kind: "files", view: "crop", cache: null } };
const channels = samples.shape[2];
const frame = frameOf(null, samples);

const option = (name, args = {}) => ({ name, args });
const rows = {
  "as it is": [],
  flip: [option("flip")],
  crop: [option("crop", { padding: 4 })],
  rand_augment: [option("rand_augment", { magnitude: 9, std: 0.5, count: 2 })],
  color_jitter: [option("color_jitter", { strength: 0.4 })],
  erase: [option("erase", { probability: 1 })],
  mixup: [option("mixup", { alpha: 0.8 })],
  cutmix: [option("cutmix", { alpha: 1 })],
  "the paper's": [
    option("rand_augment", { magnitude: 9, std: 0.5, count: 2 }),
    option("color_jitter", { strength: 0.4 }),
    option("erase", { probability: 0.25 }),
    option("mixup", { alpha: 0.8 }),
    option("cutmix", { alpha: 1 }),
  ],
};

const wanted = Array.from({ length: columns }, (_, i) => ({
  sample: i,
  path: images.length > 0 ? images[i % images.length] : null,
}));
const base = { source: samples.source, shape: samples.shape, frame, seed: 3 };
const plain = await rowsOf({ ...base, augment: [] })({ epoch: 0, index: 0, rows: wanted });
if (!plain.ok) throw new Error(plain.problem.message);
const size = side * side * channels;
const tiles = [];
for (const [name, augment] of Object.entries(rows)) {
  const made = await rowsOf({ ...base, augment })({ epoch: 0, index: 2, rows: wanted });
  if (!made.ok) throw new Error(made.problem.message);
  tiles.push([name, made.value]);
}
for (const [name, operation] of Object.entries(operations)) {
  const values = plain.value.slice();
  for (let i = 0; i < columns; i++)
    operation(values.subarray(i * size, (i + 1) * size), frame, (i + 1) / columns, i % 2 === 0 ? 1 : -1);
  tiles.push([`${name}, m = 1 … 10`, values]);
}

const shown = Math.max(56, side);
const label = 190;
const layers = [];
for (const [row, [name, values]] of tiles.entries()) {
  const text = `<svg width="${label}" height="${shown}"><text x="4" y="${shown / 2 + 5}" font-family="sans-serif" font-size="13">${name}</text></svg>`;
  layers.push({ input: Buffer.from(text), left: 0, top: row * (shown + 4) });
  for (let i = 0; i < columns; i++) {
    const bytes = Buffer.from(values.subarray(i * size, (i + 1) * size).map((x) => Math.round(255 * x)));
    const input = await sharp(bytes, { raw: { width: side, height: side, channels } })
      .resize(shown, shown, { kernel: "nearest" })
      .png()
      .toBuffer();
    layers.push({ input, left: label + i * (shown + 4), top: row * (shown + 4) });
  }
}
const background = "#cde";
await sharp({
  create: {
    width: label + columns * (shown + 4),
    height: tiles.length * (shown + 4),
    channels: 3,
    background,
  },
})
  .composite(layers)
  .toFile(out);
console.log(`${out}: ${tiles.map(([name]) => name).join(" | ")}`);
