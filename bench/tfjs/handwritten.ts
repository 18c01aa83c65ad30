/**
 * As someone would write it who knows TensorFlow.js well: each layer has a gradient of its own that keeps what it
 * needs and does without the passes of the tape's rules, in the formulation that the backend is fast at.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Means } from "./means.ts";
import {
  entriesOf,
  normEps,
  patchesOf,
  targetsOf,
  tau,
  tokens,
  unitEps,
  type Parameters,
  type Sizes,
  type Version,
} from "./network.ts";
import { view, withGradient } from "./with-gradient.ts";

export function handwrittenVersion(sizes: Sizes, means: Means): Version {
  const entries = entriesOf(sizes, means.parts);
  const names = entries.map((e) => e.name);
  return {
    entries,
    lossAndGradients(parameters, image, labels) {
      const run = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const values = Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
        return lossOf(new Network(values, sizes, means).forward(image), targetsOf(labels, sizes));
      });
      const { value, grads } = run(names.map((name) => parameters[name]));
      return { loss: value as tf.Scalar, gradients: Object.fromEntries(names.map((n, i) => [n, grads[i]])) };
    },
  };
}

/** Activations are [batch·tokens, channels] all the way, so that no layer needs a reshape. */
class Network {
  private readonly p: Parameters;
  private readonly sizes: Sizes;
  private readonly means: Means;

  constructor(parameters: Parameters, sizes: Sizes, means: Means) {
    this.p = parameters;
    this.sizes = sizes;
    this.means = means;
  }

  /** Images → logits [batch, classes]. */
  forward(image: tf.Tensor): tf.Tensor2D {
    const { depth } = this.sizes;
    let x = this.withPosition(this.linear("embed", patchesOf(image, this.sizes)));
    for (let i = 0; i < depth; i++) {
      const block = `blocks.${i}`;
      const normal = this.layerNorm(`${block}.norm1`, x);
      const projected = this.means.parts.map((part) => this.linear(`${block}.${part}`, normal));
      x = sum(x, this.linear(`${block}.out`, this.attention(projected)));
      const hidden = this.gelu(this.linear(`${block}.expand`, this.layerNorm(`${block}.norm2`, x)));
      x = sum(x, this.linear(`${block}.shrink`, hidden));
    }
    return this.linear("head", this.meanOverTokens(this.layerNorm("norm", x)));
  }

  private linear(name: string, x: tf.Tensor2D): tf.Tensor2D {
    const { productTransposed, transposedProduct, columnSums } = this.means;
    const weight = this.p[`${name}.weight`] as tf.Tensor2D;
    const bias = this.p[`${name}.bias`];
    return withGradient(
      [x, weight, bias],
      () => ({ value: tf.fused.matMul({ a: x, b: weight, bias }), kept: [x, weight] }),
      (dy, [input, w]) => [productTransposed(dy, w), transposedProduct(input, dy), columnSums(dy)],
    );
  }

  /** Backward: dx = r·(dn − mean(dn) − n·mean(dn·n)), n = (x − mean)·r the normalised value, dn = dy·γ. */
  private layerNorm(name: string, x: tf.Tensor2D): tf.Tensor2D {
    const { columnSums } = this.means;
    const [gamma, beta] = [this.p[`${name}.gamma`], this.p[`${name}.beta`]];
    return withGradient(
      [x, gamma, beta],
      () => {
        const centred = tf.sub(x, tf.mean(x, -1, true));
        const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), normEps));
        const normal = tf.mul(centred, scale);
        return { value: tf.add(tf.mul(normal, gamma), beta), kept: [normal, scale, gamma] };
      },
      (dy, [n, scale, g]) => {
        const dyNormal = tf.mul(dy, n) as tf.Tensor2D;
        // Means over the channels as products: γ is in them already.
        const perChannel = tf.reshape(tf.div(g, dy.shape[1]), [-1, 1]) as tf.Tensor2D;
        const mean = tf.matMul(dy, perChannel);
        const along = tf.matMul(dyNormal, perChannel);
        const across = tf.sub(tf.sub(tf.mul(dy, g), mean), tf.mul(n, along));
        return [tf.mul(across, scale), columnSums(dyNormal), columnSums(dy)];
      },
    );
  }

  /**
   * Cosine attention: rows of queries and keys divided by √(‖·‖² + ε), queries times τ. Queries, keys and values are
   * three tensors, or side by side in one.
   */
  private attention(projected: readonly tf.Tensor2D[]): tf.Tensor2D {
    const { sizes, means } = this;
    const joined = projected.length === 1;
    return withGradient(
      projected,
      () => {
        const [q, k, v] = joined ? (tf.split(projected[0], 3, 1) as tf.Tensor2D[]) : projected;
        const [unitQuery, queryScale] = this.unit(q, tau);
        const [unitKey, keyScale] = this.unit(k, 1);
        const { mixed, saved } = means.attend(unitQuery, unitKey, v, sizes);
        return { value: mixed, kept: [unitQuery, queryScale, unitKey, keyScale, ...saved] };
      },
      (dy, [unitQuery, queryScale, unitKey, keyScale, ...saved]) => {
        const [dq, dk, dv] = means.attendBack(dy, saved, sizes);
        const parts = [
          this.unitBack(dq, unitQuery, queryScale, tau),
          this.unitBack(dk, unitKey, keyScale, 1),
          dv,
        ];
        return joined ? [tf.concat(parts, 1)] : parts;
      },
    );
  }

  /** Each head's rows as u = f·x/√(‖x‖² + ε), and f/√(‖x‖² + ε). */
  private unit(x: tf.Tensor2D, factor: number): [unit: tf.Tensor2D, scale: tf.Tensor] {
    const rows = this.headRows(x);
    const root = tf.rsqrt(tf.add(tf.sum(tf.square(rows), -1, true), unitEps));
    const scale = factor === 1 ? root : tf.mul(root, factor);
    return [tf.reshape(tf.mul(rows, scale), x.shape), scale];
  }

  /** dx = scale·(du − u·(u·du)/f²) */
  private unitBack(du: tf.Tensor2D, u: tf.Tensor2D, scale: tf.Tensor, factor: number): tf.Tensor2D {
    const [gradient, unit] = [this.headRows(du), this.headRows(u)];
    const along = tf.mul(tf.sum(tf.mul(gradient, unit), -1, true), 1 / factor ** 2);
    return tf.reshape(tf.mul(tf.sub(gradient, tf.mul(unit, along)), scale), du.shape);
  }

  private headRows(x: tf.Tensor2D): tf.Tensor2D {
    const { channels, heads } = this.sizes;
    return tf.reshape(x, [x.shape[0] * heads, channels / heads]);
  }

  private gelu(x: tf.Tensor2D): tf.Tensor2D {
    const forward = () => {
      const [value, slope] = this.means.gelu(x);
      return { value, kept: [slope] };
    };
    return withGradient([x], forward, (dy, [slope]) => [tf.mul(dy, slope)]);
  }

  /** [batch·tokens, channels] → [batch, channels] */
  private meanOverTokens(x: tf.Tensor2D): tf.Tensor2D {
    const { batch, channels } = this.sizes;
    return withGradient(
      [x],
      () => ({ value: tf.mean(tf.reshape(x, [batch, tokens, channels]), 1), kept: [] }),
      (dy) => {
        const each = tf.mul(tf.reshape(dy, [batch, 1, channels]), tf.fill([1, tokens, 1], 1 / tokens));
        return [tf.reshape(each, x.shape)];
      },
    );
  }

  /**
   * The same vectors added to every sample. Backward gives a copy: the sum takes dy as a right operand in another shape
   * than the layer before will (see `columnSums` of the wasm backend).
   */
  private withPosition(x: tf.Tensor2D): tf.Tensor2D {
    const { batch, channels } = this.sizes;
    const samples = (tensor: tf.Tensor) => tf.reshape(tensor, [batch, tokens * channels]) as tf.Tensor2D;
    const { position } = this.p;
    return withGradient(
      [x, position],
      () => ({ value: tf.reshape(tf.add(samples(x), tf.reshape(position, [-1])), x.shape), kept: [] }),
      (dy) => [tf.clone(dy), tf.reshape(this.means.columnSums(samples(dy)), [tokens, channels])],
    );
  }
}

function sum(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  return withGradient(
    [x, y],
    () => ({ value: tf.add(x, y), kept: [] }),
    (dy) => [view(dy), view(dy)],
  );
}

/** Mean over the batch of −Σ q·log softmax(z); its gradient is (softmax(z) − q)/batch. */
function lossOf(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  const loss: tf.Tensor = withGradient(
    [logits],
    () => {
      const logs = tf.logSoftmax(logits);
      return { value: tf.mean(tf.neg(tf.sum(tf.mul(targets, logs), -1))), kept: [logs, targets] };
    },
    (dy, [logs, q]) => [tf.mul(tf.sub(tf.exp(logs), q), tf.div(dy, logits.shape[0]))],
  );
  return loss as tf.Scalar;
}
