/** A pass over a program: values are kept, replaced or added, in order; what reads a replaced one reads the new one. */
import { operandsOf, type Value } from "./program.ts";

export class Rewriter {
  readonly values: Value[] = [];
  private readonly now = new Map<Value, Value>();
  private next: number;

  constructor(values: readonly Value[]) {
    this.next = values.reduce((most, v) => Math.max(most, v.id), 0) + 1;
  }

  /** What stands in the place of a value of the program before. */
  current(value: Value): Value {
    return this.now.get(value) ?? value;
  }

  /** Keeps a value; `map` says what it reads, by default what stands there now. */
  keep(value: Value, map: (used: Value) => Value = (used) => this.current(used)): Value {
    const kept = renew(value, map);
    this.now.set(value, kept);
    this.values.push(kept);
    return kept;
  }

  /** A copy with another origin, beside the original. */
  copy(value: Value, origin: string): Value {
    const copy = { ...renew(value, (used) => this.current(used)), id: this.next++, origin };
    this.values.push(copy);
    return copy;
  }

  /** A new call of tensors, shaped and placed like another value. */
  call(callee: string, operands: readonly Value[], { shape, dtype, origin }: Value): Value {
    const args = operands.map((value) => ({ kind: "value" as const, value }));
    const value: Value = { id: this.next++, kind: "call", callee, args, shape, dtype, origin };
    this.values.push(value);
    return value;
  }

  replace(before: Value, after: Value): void {
    this.now.set(before, after);
  }
}

function renew(value: Value, map: (used: Value) => Value): Value {
  if (operandsOf(value).every((used) => map(used) === used)) return value;
  const args = value.args.map((arg) =>
    arg.kind === "value"
      ? { ...arg, value: map(arg.value) }
      : arg.kind === "list"
        ? { ...arg, values: arg.values.map(map) }
        : arg,
  );
  return { ...value, args };
}
