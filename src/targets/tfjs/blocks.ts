/**
 * Regions as functions. Blocks that do the same become one function that is called with different tensors: its text, with
 * names made from the paths inside of the block, is what makes them equal. Numbers that differ become parameters.
 */
import { camel, nameOf, Naming, wordOf } from "./names.ts";
import { literal, operand, usersOf, type Value } from "./program.ts";
import type { Scope } from "./regions.ts";
import { declaration, disposal, readsOf, stepsOf, type Names, type Step } from "./statements.ts";

/** What the rest of the program says about a region's values. */
export interface Around {
  /** Names of the outputs that a value is, in all. */
  outputs(value: Value): readonly string[];
  usedOutside(value: Value): boolean;
  /** The weight whose gradient this is. */
  gradientOf(value: Value): string | undefined;
  /** The name under which the forward pass of the same block keeps a value. */
  keptBy(value: Value): string | undefined;
  /** Whether the last use of a value that comes from outside stands in this region. */
  endsHere(value: Value): boolean;
  constant(value: Value): string;
  /** Lines of the spec that a layer was made from. */
  note(origin: string): readonly string[];
}

export interface Rendered {
  /** Text of the body with every number as a placeholder: equal for blocks that do the same. */
  readonly key: string;
  /** The numbers of the placeholders, in order. */
  readonly numbers: readonly number[];
  /** Tensors that the caller gives, in the order of the parameters. */
  readonly given: readonly Value[];
  readonly parameters: readonly string[];
  /** Values that it returns, by name; a single one is returned bare. */
  readonly returns: readonly { readonly name: string; readonly value: Value }[];
  readonly usesKept: boolean;
  /** Those of `run` and `at` that the body reads. */
  readonly context: readonly ("run" | "at")[];
  readonly callees: ReadonlySet<string>;
  /** The body's lines with numbers as they are to be printed. */
  body(number: (at: number) => string): string[];
}

export function renderRegion(scope: Scope, values: readonly Value[], around: Around): Rendered {
  const numbers: number[] = [];
  const callees = new Set<string>();
  const first = new Writer(scope, values, around, () => "#", numbers, callees);
  const lines = first.lines();
  return {
    key: [scope.kind, first.parameters.join(), ...lines.filter((l) => !l.trim().startsWith("//"))].join("\n"),
    numbers,
    given: first.given,
    parameters: first.parameters,
    returns: first.returns,
    usesKept: first.usesKept,
    context: (["run", "at"] as const).filter((name) => lines.some((line) => readsName(line, name))),
    callees,
    body: (number) => new Writer(scope, values, around, number, [], new Set()).lines(),
  };
}

/** Random numbers, or a part of them. */
function isUniform(value: Value): boolean {
  if (value.origin === "random") return true;
  if (value.callee !== "slice" && value.callee !== "tf.reshape") return false;
  return isUniform(operand(value, 0));
}

function readsName(line: string, name: string): boolean {
  return !line.trim().startsWith("//") && new RegExp(`(?<![.\\w"/])${name}\\b`).test(line);
}

class Writer implements Names {
  readonly given: Value[] = [];
  readonly parameters: string[] = [];
  readonly returns: { name: string; value: Value }[] = [];
  usesKept = false;
  private readonly naming = new Naming();
  private readonly local = new Map<Value, string>();
  private readonly own: Set<Value>;
  private readonly users: ReadonlyMap<Value, readonly Value[]>;
  private readonly scope: Scope;
  private readonly values: readonly Value[];
  private readonly around: Around;
  private readonly numberText: (at: number) => string;
  private readonly numbers: number[];
  private readonly callees: Set<string>;
  private readonly header: string[] = [];
  private usesWeights = false;

  constructor(
    scope: Scope,
    values: readonly Value[],
    around: Around,
    numberText: (at: number) => string,
    numbers: number[],
    callees: Set<string>,
  ) {
    this.scope = scope;
    this.values = values;
    this.around = around;
    this.numberText = numberText;
    this.numbers = numbers;
    this.callees = callees;
    this.own = new Set(values);
    this.users = usersOf(values);
  }

  lines(): string[] {
    const { around, values } = this;
    const outside = new Set(values.filter((v) => around.usedOutside(v) || around.outputs(v).length > 0));
    const steps = stepsOf(values, outside);
    const last = lastUses(steps);
    const body: string[] = [];
    let origin: string | null = null;
    steps.forEach((step, at) => {
      if (step.value.origin !== origin) {
        const notes = around.note(step.value.origin);
        if (notes.length > 0) body.push(...(body.length > 0 ? [""] : []), ...notes.map((n) => `  // ${n}`));
        origin = step.value.origin;
      }
      body.push(...this.statement(step, outside));
      const dead = readsOf(step).filter((read) => last.get(read) === at && this.mayDispose(read, outside));
      if (dead.length > 0)
        body.push(
          disposal(
            dead.map((v) => this.read(v)),
            2,
          ),
        );
    });
    return [...this.header, ...this.accessor(), ...body, ...this.ending()];
  }

  private accessor(): string[] {
    if (!this.usesWeights) return [];
    this.callees.add("weightsOf");
    return ["  const w = weightsOf(run, at);"];
  }

  private statement(step: Step, outside: ReadonlySet<Value>): string[] {
    const { value } = step;
    const name = this.declare(value);
    const lines = [declaration(name, step, this, 2)];
    const weight = this.around.gradientOf(value);
    const inside = weight === undefined ? null : this.inside(weight);
    if (inside !== null) lines.push(`  run.gradient[\`\${at}${inside}\`] = ${name};`);
    const outputs = this.around.outputs(value);
    outputs.forEach((output, i) => {
      const own = i === 0 ? name : `tf.clone(${name})`;
      lines.push(`  run.next[${this.pathText(output)}] = ${own};`);
    });
    if (outside.has(value) && inside === null && outputs.length === 0) this.returns.push({ name, value });
    return lines;
  }

  private ending(): string[] {
    if (this.returns.length === 0) return [];
    if (this.returns.length === 1) return [`  return ${this.returns[0].name};`];
    const names = this.returns.map((r) => r.name);
    const line = `  return { ${names.join(", ")} };`;
    if (line.length <= 110) return [line];
    return ["  return {", ...names.map((n) => `    ${n},`), "  };"];
  }

  /** What was made here and stays here, and what comes from outside for the last time. */
  private mayDispose(value: Value, outside: ReadonlySet<Value>): boolean {
    if (value.kind === "constant") return false;
    if (this.own.has(value)) return !outside.has(value);
    const kept =
      this.around.keptBy(value) !== undefined || this.isOwnInput(value) || this.isOwnGradient(value);
    return kept && this.around.endsHere(value);
  }

  /** The rest of a path after the block's own. */
  private inside(path: string): string | null {
    const { at } = this.scope;
    return path === at ? "" : path.startsWith(`${at}.`) ? path.slice(at.length) : null;
  }

  /** "`param/${at}.rest`" for names of the block, else the name in quotes. */
  private pathText(name: string): string {
    const slash = name.indexOf("/");
    const inside = slash < 0 ? null : this.inside(name.slice(slash + 1));
    return inside === null ? literal(name) : `\`${name.slice(0, slash)}/\${at}${inside}\``;
  }

  private isOwnInput(value: Value): boolean {
    if (value.kind !== "input") return false;
    return this.inside(value.callee.slice(value.callee.indexOf("/") + 1)) !== null;
  }

  private isOwnGradient(value: Value): boolean {
    const weight = this.around.gradientOf(value);
    return this.scope.kind === "update" && weight !== undefined && this.inside(weight) !== null;
  }

  read(value: Value): string {
    const known = this.local.get(value);
    if (known !== undefined) return known;
    const name = this.outer(value);
    if (!name.includes("(")) this.local.set(value, name);
    return name;
  }

  private outer(value: Value): string {
    if (value.kind === "constant") return `run.constants.${this.around.constant(value)}`;
    if (this.isOwnGradient(value)) return this.headed("gradient", "run.gradient[at]");
    if (this.isOwnInput(value)) {
      const slash = value.callee.indexOf("/");
      const [slot, inside] = [value.callee.slice(0, slash), this.inside(value.callee.slice(slash + 1)) ?? ""];
      if (this.scope.kind === "update") {
        return this.headed(slot === "param" ? "parameter" : slot, `run.given[\`${slot}/\${at}\`]`);
      }
      if (slot === "param" && inside !== "") {
        this.usesWeights = true;
        return `w("${inside.slice(1)}")`;
      }
      return `run.given[\`${slot}/\${at}${inside}\`]`;
    }
    const kept = this.around.keptBy(value);
    if (kept !== undefined) {
      this.usesKept = true;
      return `kept.${kept}`;
    }
    this.given.push(value);
    const name = this.naming.unique(this.parameterName(value));
    this.parameters.push(name);
    return name;
  }

  /** A constant at the head of the function. */
  private headed(name: string, code: string): string {
    this.header.push(`  const ${name} = ${code};`);
    return name;
  }

  private parameterName(value: Value): string {
    if (isUniform(value)) return "uniform";
    if (value.shape.length === 0 && value.kind === "call") return "factor";
    if (value.kind === "input") return "input";
    return this.scope.kind === "backward" ? (value.origin.startsWith("~") ? "dy" : "y") : "x";
  }

  declare(value: Value): string {
    const users = this.users.get(value) ?? [];
    const final = users.every((user) => user.origin !== value.origin);
    const name = this.naming.unique(
      this.scope.kind === "update" ? this.updateName(value) : nameOf(value, final),
    );
    this.local.set(value, name);
    return name;
  }

  /** After the slot that it goes to, or after what it is. */
  private updateName(value: Value): string {
    const [output] = this.around.outputs(value);
    if (output === undefined) return wordOf(value);
    const slot = output.slice(0, output.indexOf("/"));
    return camel("next", slot === "param" ? "parameter" : slot);
  }

  number(value: Value, at: number): string {
    const arg = value.args[at];
    if (arg.kind !== "number") throw new Error("not a number");
    const place = this.numbers.length;
    this.numbers.push(arg.number);
    return this.numberText(place);
  }

  call(callee: string): void {
    this.callees.add(callee);
  }
}

/** The index of the last statement that reads each value. */
export function lastUses(steps: readonly Step[]): Map<Value, number> {
  const last = new Map<Value, number>();
  steps.forEach((step, at) => {
    for (const read of readsOf(step)) last.set(read, at);
  });
  return last;
}
