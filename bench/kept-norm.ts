/**
 * How much of the allowed norm `spectral(1)` leaves a convolution: the largest norm over a fine grid of frequencies (at most
 * 0.5 % below the norm of the map) divided by the bound, for the constraint and for each of its bounds alone.
 *
 *   node scripts/run.mjs bench/kept-norm.js [CHANNELS…]
 */
import { Builder, type Tensor } from "../src/graph/builder.ts";
import { operatorBounds } from "../src/graph/constraints/operator.ts";
import { array64, interpret } from "../src/graph/interpret.ts";
import { convolutionNorm, tapsOf } from "../src/measure/symbol.ts";
import { generator } from "../src/runtime/random.ts";

const points = 48;
const channels = process.argv.slice(2).map(Number);

/** Kernels with n inputs and outputs and k × k taps. */
function kernels(n: number, k: number): Record<string, Float64Array> {
  const uniform = generator(n, k);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const taps = k * k;
  const from = (entry: (o: number, i: number, y: number, x: number) => number) =>
    Float64Array.from({ length: n * n * taps }, (_, at) =>
      entry(Math.floor(at / taps / n), Math.floor(at / taps) % n, Math.floor(at / k) % k, at % k),
    );
  const middle = (k - 1) / 2;
  const bell = (y: number, x: number): number => Math.exp(-((y - middle) ** 2 + (x - middle) ** 2) / 1.5);
  const mixing = Float64Array.from({ length: n * n }, normal);
  return {
    gaussian: from(normal),
    "identity + 0.02 gaussian": from(
      (o, i, y, x) => 0.02 * normal() + (o === i && y === Math.floor(middle) && x === y ? 1 : 0),
    ),
    "smooth + 0.1 gaussian": from((o, i, y, x) => mixing[o * n + i] * bell(y, x) + 0.1 * normal()),
    "uniform in [0, 1]": from(uniform),
    "one kernel a channel": from((o, i) => (o === i ? normal() : 0)),
    "all equal": from(() => 0.3),
  };
}

for (const [n, k] of (channels.length > 0 ? channels : [16, 64]).map((n) => [n, 3] as const)) {
  const shape = [n, n, k, k];
  for (const [name, kernel] of Object.entries(kernels(n, k))) {
    const most = kernel.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const small = kernel.map((x) => x / most);
    const builder = new Builder();
    const bounds = operatorBounds(builder, builder.input("w", [n, n * k * k]), shape);
    const outputs = Object.entries<Tensor>(bounds).map(([of, tensor]) => ({ name: of, tensor }));
    const found = interpret(builder.graph("bounds", outputs), { w: array64([n, n * k * k], small) });
    const norm = convolutionNorm(small, n, n, tapsOf(shape), [points, points], 1);
    const kept = outputs.map(({ name: of }) => [of, norm / found[of].data[0]] as const);
    const best = Math.max(...kept.map(([, share]) => share));
    const each = kept.map(([of, share]) => `${of} ${share.toFixed(3)}`).join("  ");
    console.log(`${n} channels, ${k} × ${k}, ${name}: kept ${best.toFixed(3)}  (${each})`);
  }
}
