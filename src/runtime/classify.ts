/** What logits say, in float64 on the host: loss, hits, probabilities. */

export interface Judged {
  readonly loss: number;
  readonly correct: number;
}

/** Sum of cross-entropies and number of right answers over the first `count` rows of logits [batch, classes]. */
export function judge(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  count: number,
): Judged {
  let loss = 0;
  let correct = 0;
  for (let row = 0; row < count; row++) {
    const at = row * classes;
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[at + k] > logits[at + best]) best = k;
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp(logits[at + k] - logits[at + best]);
    loss += Math.log(sum) + logits[at + best] - logits[at + labels[row]];
    // NaN logits are nobody's answer.
    if (Number.isFinite(logits[at + best]) && best === labels[row]) correct++;
  }
  return { loss, correct };
}

/** Classes by falling probability, of one row of logits. */
export function rank(logits: ArrayLike<number>): { label: number; probability: number }[] {
  const all = Array.from(logits);
  const top = Math.max(...all);
  const weights = all.map((x) => Math.exp(x - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights
    .map((w, label) => ({ label, probability: w / total }))
    .sort((a, b) => b.probability - a.probability);
}
