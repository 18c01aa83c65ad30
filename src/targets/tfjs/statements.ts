/**
 * Values as statements: what is used once stands inside the call that uses it, everything else has a name, and a tensor is
 * disposed of when its last use has passed.
 */
import { layOut, type Doc } from "./layout.ts";
import { operandsOf, type Value } from "./program.ts";

export interface Names {
  /** The code that reads a value. */
  read(value: Value): string;
  /** A name for a value that becomes a statement. */
  declare(value: Value): string;
  /** A number that stands in a call. */
  number(value: Value, at: number): string;
  /** Shorter code for a list of values, where there is some. */
  list?(values: readonly Value[]): string | null;
  /** Support functions that are called. */
  call?(callee: string): void;
}

export interface Step {
  readonly value: Value;
  /** Values that stand inside of its expression. */
  readonly inner: ReadonlySet<Value>;
}

/** Most calls in one expression, the outermost not counted. */
const deepest = 3;

/** Groups values of one body, in order, into statements. `outside`: uses from outside of the body. */
export function stepsOf(values: readonly Value[], outside: ReadonlySet<Value>): Step[] {
  const uses = new Map<Value, number>();
  const user = new Map<Value, Value>();
  for (const value of values) {
    for (const used of operandsOf(value)) {
      uses.set(used, (uses.get(used) ?? 0) + 1);
      user.set(used, value);
    }
  }
  const body = new Set(values);
  const size = new Map<Value, number>();
  const innerOf = new Map<Value, Set<Value>>();
  const nested = new Set<Value>();
  for (const value of values) {
    const inner = new Set<Value>();
    let calls = 0;
    for (const used of operandsOf(value)) {
      if (!body.has(used) || outside.has(used) || uses.get(used) !== 1 || user.get(used) !== value) continue;
      const weight = (size.get(used) ?? 0) + 1;
      if (used.origin !== value.origin || calls + weight > deepest) continue;
      calls += weight;
      nested.add(used);
      inner.add(used);
      for (const deeper of innerOf.get(used) ?? []) inner.add(deeper);
    }
    size.set(value, calls);
    innerOf.set(value, inner);
  }
  return values
    .filter((value) => !nested.has(value))
    .map((value) => ({ value, inner: innerOf.get(value) ?? new Set() }));
}

/** What a statement reads of what was made before it. */
export function readsOf({ value, inner }: Step): Value[] {
  const reads = new Set<Value>();
  for (const each of [value, ...inner]) {
    for (const used of operandsOf(each)) if (!inner.has(used)) reads.add(used);
  }
  return [...reads];
}

/** The expression of a statement; temporaries inside of it are disposed of by tf.tidy. */
export function expressionOf(step: Step, names: Names): Doc {
  const doc = docOf(step.value, step, names);
  return step.inner.size === 0 ? doc : { call: "tf.tidy", args: [{ arrow: doc }] };
}

function docOf(value: Value, step: Step, names: Names): Doc {
  if (value !== step.value && !step.inner.has(value)) return names.read(value);
  names.call?.(value.callee);
  const args = value.args.map((arg, at): Doc => {
    switch (arg.kind) {
      case "value":
        return docOf(arg.value, step, names);
      case "list":
        return names.list?.(arg.values) ?? { list: arg.values.map((v) => docOf(v, step, names)) };
      case "number":
        return names.number(value, at);
      case "text":
        return arg.text;
    }
  });
  return { call: value.callee, args };
}

/** `const name = …;` */
export function declaration(name: string, step: Step, names: Names, indent: number): string {
  return layOut(`const ${name} = `, expressionOf(step, names), ";", indent);
}

/** `a.dispose();` or `tf.dispose([a, b]);` */
export function disposal(names: readonly string[], indent: number): string {
  if (names.length === 1) return `${" ".repeat(indent)}${names[0]}.dispose();`;
  return layOut("tf.dispose(", { list: names }, ");", indent);
}
