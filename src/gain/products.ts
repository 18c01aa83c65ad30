/**
 * Inner products of many long vectors in float64, several times faster than loops of JavaScript: a kernel of 400 bytes of
 * WebAssembly with 128-bit vectors, assembled here. Its products and sums are those of IEEE 754, each rounded once and
 * never fused (trust: T1), so that whatever is proven of a plain loop, for any order of its sums, holds here.
 */

/** Vectors that enter one call of the kernel, and numbers of each that are kept close to the processor at a time. */
const tile = 4;
const depth = 256;

/** One row-major matrix: entry (i, k) at data[at + i·stride + k]. */
export interface Rows {
  readonly data: Float64Array;
  readonly at: number;
  readonly stride: number;
}

/** target[i][j] += sign · Σ_k v[i][k]·v[j][k] for all j ≤ i < count, k < length; what is above the diagonal stays. */
export function addInnerProducts(
  target: Rows,
  v: Rows,
  count: number,
  length: number,
  sign: 1 | -1 = 1,
): void {
  const panels = Math.ceil(count / tile);
  // The sums of one call stand at address 0, the packed vectors behind them.
  const start = 8 * tile * tile;
  const { run, memory } = kernel(start + 8 * panels * tile * depth);
  const sums = new Float64Array(memory.buffer, 0, tile * tile);
  const packed = new Float64Array(memory.buffer, start, panels * tile * depth);
  for (let from = 0; from < length; from += depth) {
    const taken = Math.min(depth, length - from);
    pack(packed, v, from, count, taken);
    const panel = 8 * tile * taken;
    for (let i = 0; i < panels; i++) {
      for (let j = 0; j <= i; j++) {
        run(start + i * panel, start + j * panel, taken);
        const rows = Math.min(tile, count - i * tile);
        for (let a = 0; a < rows; a++) {
          const at = target.at + (i * tile + a) * target.stride + j * tile;
          const last = i === j ? a + 1 : tile;
          for (let b = 0; b < last; b++) target.data[at + b] += sign * sums[a * tile + b];
        }
      }
    }
  }
}

/** The product of a row-major rows × inner and an inner × columns matrix, by the same kernel. */
export function matrixProduct(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  const [panels, others] = [Math.ceil(rows / tile), Math.ceil(columns / tile)];
  const start = 8 * tile * tile;
  const second = start + 8 * panels * tile * depth;
  const { run, memory } = kernel(second + 8 * others * tile * depth);
  const sums = new Float64Array(memory.buffer, 0, tile * tile);
  const left = new Float64Array(memory.buffer, start, panels * tile * depth);
  const right = new Float64Array(memory.buffer, second, others * tile * depth);
  for (let from = 0; from < inner; from += depth) {
    const taken = Math.min(depth, inner - from);
    pack(left, { data: a, at: 0, stride: inner }, from, rows, taken);
    packColumns(right, b, from, columns, taken);
    const panel = 8 * tile * taken;
    for (let i = 0; i < panels; i++) {
      const high = Math.min(tile, rows - i * tile);
      for (let j = 0; j < others; j++) {
        run(start + i * panel, second + j * panel, taken);
        const wide = Math.min(tile, columns - j * tile);
        for (let r = 0; r < high; r++) {
          const at = (i * tile + r) * columns + j * tile;
          for (let c = 0; c < wide; c++) out[at + c] += sums[r * tile + c];
        }
      }
    }
  }
  return out;
}

/** Four columns side by side, as `pack` does with rows. */
function packColumns(
  packed: Float64Array,
  b: Float64Array,
  from: number,
  columns: number,
  taken: number,
): void {
  for (let j = 0; j < Math.ceil(columns / tile) * tile; j++) {
    const to = Math.floor(j / tile) * tile * taken + (j % tile);
    const at = from * columns + j;
    for (let k = 0; k < taken; k++) packed[to + k * tile] = j < columns ? b[at + k * columns] : 0;
  }
}

/** Four vectors side by side: number k of vectors 4p … 4p + 3 together, zeros beyond the last vector. */
function pack(packed: Float64Array, v: Rows, from: number, count: number, taken: number): void {
  for (let i = 0; i < Math.ceil(count / tile) * tile; i++) {
    const to = Math.floor(i / tile) * tile * taken + (i % tile);
    const row = v.at + i * v.stride + from;
    if (i < count) for (let k = 0; k < taken; k++) packed[to + k * tile] = v.data[row + k];
    else for (let k = 0; k < taken; k++) packed[to + k * tile] = 0;
  }
}

/** The part of the global that is used: neither the language's nor Node's types hold it. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => Memory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface Kernel {
  readonly memory: Memory;
  /** Writes the 16 sums over k < length of two packed panels (addresses in bytes) to address 0. */
  readonly run: (a: number, b: number, length: number) => void;
}

let made: Kernel | null = null;

function kernel(bytes: number): Kernel {
  if (!made) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(assemble());
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    made = { memory, run: instance.exports.run as Kernel["run"] };
  }
  const page = 65536;
  const missing = bytes - made.memory.buffer.byteLength;
  if (missing > 0) made.memory.grow(Math.ceil(missing / page));
  return made;
}

/**
 * (module (import "env" "memory" (memory 1)) (func (export "run") (param $a i32) (param $b i32) (param $k i32) …)):
 * eight sums of two lanes each, locals 3 to 10; each round multiplies four numbers of $a, one at a time in both lanes,
 * with the four of $b in locals 11 and 12.
 */
function assemble(): Uint8Array<ArrayBuffer> {
  const [i32, v128, function_] = [0x7f, 0x7b, 0x60];
  const get = (local: number): number[] => [0x20, local];
  const set = (local: number): number[] => [0x21, local];
  const constant = (x: number): number[] => [0x41, x];
  const vector = (...code: number[]): number[] => [0xfd, ...code];
  const load = (offset: number): number[] => vector(0x00, 3, offset);
  const loadBoth = (offset: number): number[] => vector(0x0a, 3, offset);
  const store = (offset: number): number[] => vector(0x0b, 3, offset);
  const add = vector(0xf0, 0x01);
  const multiply = vector(0xf2, 0x01);
  const [a, b, k, sums, left, right, both] = [0, 1, 2, 3, 11, 12, 13];
  const accumulate = (sum: number, other: number): number[] => [
    ...get(sum),
    ...get(both),
    ...get(other),
    ...multiply,
    ...add,
    ...set(sum),
  ];
  const advance = (pointer: number, by: number): number[] => [
    ...get(pointer),
    ...constant(by),
    0x6a,
    ...set(pointer),
  ];
  const rounds = [0, 1, 2, 3].flatMap((i) => [
    ...get(a),
    ...loadBoth(8 * i),
    ...set(both),
    ...accumulate(sums + 2 * i, left),
    ...accumulate(sums + 2 * i + 1, right),
  ]);
  const body = [
    ...[0x03, 0x40],
    ...[...get(b), ...load(0), ...set(left), ...get(b), ...load(16), ...set(right)],
    ...rounds,
    ...advance(a, 32),
    ...advance(b, 32),
    // k − 1, kept, and once more while it is not 0.
    ...[...get(k), ...constant(0x7f), 0x6a, 0x22, k, 0x0d, 0x00],
    0x0b,
    ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [...constant(0), ...get(sums + i), ...store(16 * i)]),
    0x0b,
  ];
  const text = (s: string): number[] => [s.length, ...[...s].map((c) => c.charCodeAt(0))];
  // Lengths of up to 2¹⁴ in LEB128.
  const size = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
  const section = (id: number, ...content: number[]): number[] => [id, ...size(content.length), ...content];
  const code = [1, 11, v128, ...body];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, 1, function_, 3, i32, i32, i32, 0),
    ...section(2, 1, ...text("env"), ...text("memory"), 0x02, 0x00, 1),
    ...section(3, 1, 0),
    ...section(7, 1, ...text("run"), 0x00, 0),
    ...section(10, 1, ...size(code.length), ...code),
  ]);
}
