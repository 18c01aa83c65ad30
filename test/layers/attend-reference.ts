/** Attention by its definition, token by token: what the lowering is compared with. */
import type { AttendConfig } from "../../src/layers/attend/config.ts";
import { partitionOf, sizeOf, groupsOf, type Partition } from "../../src/layers/attend/regions.ts";
import type { Coefficient, Shape } from "../../src/model/model.ts";

export interface ReferenceWeights {
  readonly position?: ArrayLike<number>;
  readonly local?: ArrayLike<number>;
  readonly localBias?: ArrayLike<number>;
}

function constant(c: Coefficient): number {
  if (c.kind !== "constant") throw new Error("the reference takes fixed coefficients");
  return c.value;
}

/** Place (row, column) of token t of group g on the map, after the roll. */
function place(p: Partition, g: number, t: number): [number, number] {
  const across = p.width / p.columns;
  const [gi, gj] = [Math.floor(g / across), g % across];
  const [ti, tj] = [Math.floor(t / p.columns), t % p.columns];
  return p.spaced
    ? [ti * (p.height / p.rows) + gi, tj * (p.width / p.columns) + gj]
    : [gi * p.rows + ti, gj * p.columns + tj];
}

export function referenceAttend(
  config: AttendConfig,
  shapes: readonly Shape[],
  inputs: readonly ArrayLike<number>[],
  weights: ReferenceWeights = {},
): Float64Array {
  const [q, k, v] = inputs;
  const [c, e] = [shapes[0].at(-1) as number, shapes[2].at(-1) as number];
  const { heads } = config;
  const [dc, de] = [c / heads, e / heads];
  const p = partitionOf(config.over, shapes[0]);
  const pk = partitionOf(config.over, shapes[1]);
  const [n, m] = [sizeOf(p), sizeOf(pk)];
  const out = new Float64Array(p.height * p.width * e);
  /** Index of a token in the original map. */
  const source = (part: Partition, g: number, t: number): number => {
    const [i, j] = place(part, g, t);
    return ((i + part.shift) % part.height) * part.width + ((j + part.shift) % part.width);
  };
  const head = (data: ArrayLike<number>, token: number, h: number, width: number, all: number): number[] =>
    Array.from({ length: width }, (_, i) => data[token * all + h * width + i]);
  const norm = (z: number[]): number => Math.sqrt(z.reduce((s, x) => s + x * x, 0));
  const turned = (z: number[], t: number): number[] => {
    if (config.position !== "rotary") return z;
    const half = z.length / 2;
    return z.map((_, i) => {
      const a = t * 10000 ** (-(i % half) / half);
      const [x, y] = [z[i % half], z[(i % half) + half]];
      const [cos, sin] = [Math.fround(Math.cos(a)), Math.fround(Math.sin(a))];
      return i < half ? x * cos - y * sin : y * cos + x * sin;
    });
  };
  const hat = (z: number[]): number[] => {
    if (config.score.kind !== "cosine") return z;
    const { eps, guard } = config.score;
    const d = guard === "root" ? Math.sqrt(norm(z) ** 2 + eps) : Math.max(norm(z), eps);
    return z.map((x) => x / d);
  };
  const dot = (a: number[], b: number[]): number => a.reduce((s, x, i) => s + x * b[i], 0);
  const score = (a: number[], b: number[]): number => {
    if (config.score.kind === "cosine") return constant(config.score.tau) * dot(a, b);
    const scale = constant(config.score.scale as Coefficient);
    return config.score.kind === "dot" ? scale * dot(a, b) : -scale * norm(a.map((x, i) => x - b[i])) ** 2;
  };
  const wrapped = (g: number, t: number): number => {
    const [i, j] = place(p, g, t);
    return 2 * (i >= p.height - p.shift ? 1 : 0) + (j >= p.width - p.shift ? 1 : 0);
  };
  for (let g = 0; g < groupsOf(p); g++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < n; i++) {
        const qi = hat(turned(head(q, source(p, g, i), h, dc, c), i));
        const s: number[] = [];
        for (let j = 0; j < m; j++) {
          const kj = hat(turned(head(k, source(pk, g, j), h, dc, c), j));
          let x = score(qi, kj);
          if (config.position === "relative") {
            const dr = Math.floor(i / p.columns) - Math.floor(j / p.columns) + p.rows - 1;
            const dj = (i % p.columns) - (j % p.columns) + p.columns - 1;
            x += (weights.position as ArrayLike<number>)[(dr * (2 * p.columns - 1) + dj) * heads + h];
          }
          if (config.causal && j > i) x = -Infinity;
          if (p.shift > 0 && wrapped(g, i) !== wrapped(g, j)) x = -Infinity;
          s.push(x);
        }
        const top = Math.max(...s);
        const exp = s.map((x) => Math.exp(x - top));
        const total = exp.reduce((a, b) => a + b, 0);
        for (let d = 0; d < de; d++) {
          let sum = 0;
          for (let j = 0; j < m; j++) {
            let vj = head(v, source(pk, g, j), h, de, e);
            if (config.values.kind === "unit") {
              const r = constant(config.values.nu) / Math.sqrt(norm(vj) ** 2 + config.values.eps);
              vj = vj.map((x) => x * r);
            }
            sum += (exp[j] / total) * vj[d];
          }
          out[source(p, g, i) * e + h * de + d] += sum;
        }
      }
    }
    if (config.local && weights.local) {
      const k2 = config.local.kernel;
      const edge = (k2 - 1) / 2;
      for (let i = 0; i < p.rows; i++) {
        for (let j = 0; j < p.columns; j++) {
          for (let ch = 0; ch < e; ch++) {
            let sum = weights.localBias ? weights.localBias[ch] : 0;
            for (let a = 0; a < k2; a++) {
              for (let b = 0; b < k2; b++) {
                const [y, x] = [i + a - edge, j + b - edge];
                if (y < 0 || x < 0 || y >= p.rows || x >= p.columns) continue;
                sum += weights.local[(ch * k2 + a) * k2 + b] * v[source(p, g, y * p.columns + x) * e + ch];
              }
            }
            out[source(p, g, i * p.columns + j) * e + ch] += sum;
          }
        }
      }
    }
  }
  return out;
}
