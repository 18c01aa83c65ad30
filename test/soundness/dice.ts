/** Choices from one stream of random numbers. */
export class Dice {
  readonly random: () => number;
  constructor(random: () => number) {
    this.random = random;
  }
  /** A whole number below n. */
  below(n: number): number {
    return Math.floor(this.random() * n);
  }
  chance(p: number): boolean {
    return this.random() < p;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}
