/** A random `.lips` source as data, so that a counterexample can be shrunk line by line. */
import type { Shape } from "../../src/model/model.ts";

/** `let a = expression`, or `let [a, b] = expression`; operands stand in the expression by name. */
export interface Line {
  readonly names: readonly string[];
  readonly expression: string;
  /** The operand that may stand in place of the line's result when the line is taken out; null if none has its shape. */
  readonly stands: string | null;
}

export interface Program {
  readonly blocks: readonly string[];
  readonly weights: readonly string[];
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: Shape;
    readonly domain: string | null;
  }[];
  readonly lines: readonly Line[];
  readonly result: string;
}

const word = (name: string): RegExp => new RegExp(`\\b${name}\\b`);

/** The source; lines and inputs that nothing reads are left out. */
export function render(program: Program): string {
  const lines = usedLines(program);
  const text = [...lines.map((line) => line.expression), program.result].join("\n");
  const used = program.inputs.filter(({ name }) => word(name).test(text));
  const inputs = used.length > 0 ? used : program.inputs.slice(0, 1);
  const body = [
    `weights { ${program.weights.join(", ")} }`,
    ...inputs.map(
      ({ name, shape, domain }) =>
        `input ${name}: [${shape.join(", ")}]${domain === null ? "" : ` in ${domain}`}`,
    ),
    ...lines.map(({ names, expression }) =>
      names.length === 1 ? `let ${names[0]} = ${expression}` : `let [${names.join(", ")}] = ${expression}`,
    ),
    `output out = ${program.result}`,
  ];
  const blocks: string[] = [];
  for (let seen = text, more = true; more;) {
    more = false;
    for (const block of program.blocks) {
      if (blocks.includes(block) || !word(/^block (\w+)/.exec(block)?.[1] ?? "").test(seen)) continue;
      blocks.push(block);
      seen += `\n${block}`;
      more = true;
    }
  }
  return `${blocks.map((block) => `${block}\n`).join("")}model M {\n  ${body.join("\n  ")}\n}\n`;
}

function usedLines({ lines, result }: Program): readonly Line[] {
  let wanted = result;
  const kept: Line[] = [];
  for (const line of [...lines].reverse()) {
    if (!line.names.some((name) => word(name).test(wanted))) continue;
    kept.unshift(line);
    wanted += `\n${line.expression}`;
  }
  return kept;
}

/** Programs a step simpler, the larger cuts first: lines, stages, operands, options, sizes, the policy. */
export function* simpler(program: Program): Iterable<Program> {
  yield* fewerLines({ ...program, lines: usedLines(program) });
  const lines = usedLines(program);
  for (const [i, line] of lines.entries()) {
    for (const expression of plainer(line.expression))
      yield { ...program, lines: lines.with(i, { ...line, expression }) };
  }
  if (program.weights.length > 1)
    for (let i = 0; i < program.weights.length; i++)
      yield { ...program, weights: program.weights.filter((_, j) => j !== i) };
  for (const [i, input] of program.inputs.entries()) {
    const put = (change: Partial<typeof input>): Program => ({
      ...program,
      inputs: program.inputs.with(i, { ...input, ...change }),
    });
    if (input.domain !== null) yield put({ domain: null });
    for (const [axis, n] of input.shape.entries())
      for (const less of n > 1 ? [1, 2, n - 1].filter((m) => m < n) : [])
        yield put({ shape: input.shape.with(axis, less) });
    if (input.shape.length > 1) yield put({ shape: input.shape.slice(1) });
  }
}

function* fewerLines(program: Program): Iterable<Program> {
  const { lines } = program;
  for (let i = 0; i < lines.length; i++) {
    for (const result of lines[i].names) {
      if (result !== program.result) yield { ...program, lines: lines.slice(0, i + 1), result };
    }
  }
  for (const { name } of program.inputs)
    if (name !== program.result) yield { ...program, lines: [], result: name };
  // A line's result in place of which an input stands: whatever came before is gone.
  for (const [i, { names }] of lines.entries())
    for (const { name } of program.inputs) yield without(program, i, names, name);
  for (const [i, { names, stands }] of lines.entries())
    if (stands !== null) yield without(program, i, names, stands);
}

function without(program: Program, i: number, names: readonly string[], stands: string): Program {
  const put = (text: string): string =>
    names.reduce((t, name) => t.replaceAll(new RegExp(`\\b${name}\\b`, "g"), stands), text);
  const rest = program.lines.flatMap((line, j) =>
    j === i ? [] : [{ ...line, expression: put(line.expression), stands: line.stands && put(line.stands) }],
  );
  return { ...program, lines: rest, result: put(program.result) };
}

/** Expressions with less in them; most are not well typed, which the elaborator tells. */
function* plainer(text: string): Iterable<string> {
  const cut = (from: number, to: number, put = ""): string => text.slice(0, from) + put + text.slice(to);
  const groups = parentheses(text);
  // One stage of a pipeline, the first after its operand included.
  for (const { index } of text.matchAll(/ \|> /g)) yield cut(index, endOfStage(text, index + 4));
  // A pipeline in parentheses, by its operand; a call's arguments, by nothing.
  for (const [open, close] of groups) {
    const inside = text.slice(open + 1, close);
    const operand = /^(\w+) \|>/.exec(inside)?.[1];
    if (operand !== undefined) yield cut(open, close + 1, operand);
    const before = text.slice(0, open);
    if (/learned$/.test(before))
      yield cut(open - "learned".length, close + 1, /^[-\d./]+/.exec(inside)?.[0] ?? "1");
    // One stage alone in place of a layer's argument: Residual(A |> B) → Residual(B).
    for (const part of inside.split(" |> ")) if (part !== inside) yield cut(open + 1, close, part);
  }
  // One side of a sum or product.
  for (const found of text.matchAll(/ [-+*] /g)) {
    yield text.slice(0, found.index);
    yield text.slice(found.index + 3);
  }
  for (const found of text.matchAll(/, \w+: /g)) yield cut(found.index, endOfArgument(text, found.index + 2));
  for (const found of text.matchAll(/\b\d+\b/g)) {
    const n = Number(found[0]);
    for (const less of [1, 2, n - 1])
      if (less < n && less > 0) yield cut(found.index, found.index + found[0].length, String(less));
  }
}

/** Places of matching parentheses, outer ones first. */
function parentheses(text: string): [number, number][] {
  const open: number[] = [];
  const found: [number, number][] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") open.push(i);
    if (text[i] === ")") found.push([open.pop() ?? 0, i]);
  }
  return found.sort(([a], [b]) => a - b);
}

/** Where what starts at `from` ends: before a bracket that closes, or one of the ends at the same depth. */
function endOf(text: string, from: number, ends: readonly string[]): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    if ("([".includes(text[i])) depth++;
    if (")]".includes(text[i]) && depth-- === 0) return i;
    if (depth === 0 && ends.some((end) => text.startsWith(end, i))) return i;
  }
  return text.length;
}
const endOfStage = (text: string, from: number): number =>
  endOf(text, from, [" |> ", ", ", " + ", " - ", " * "]);
const endOfArgument = (text: string, from: number): number => endOf(text, from, [", "]);
