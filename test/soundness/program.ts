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
  const blocks = program.blocks.filter((block) => word(/^block (\w+)/.exec(block)?.[1] ?? "").test(text));
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

/** Programs a step simpler: an earlier result, a line less, a plainer policy. The larger cuts stand first. */
export function* simpler(program: Program): Iterable<Program> {
  const lines = usedLines(program);
  for (let i = 0; i < lines.length; i++) {
    for (const result of lines[i].names) {
      if (result !== program.result) yield { ...program, lines: lines.slice(0, i + 1), result };
    }
  }
  for (const { name } of program.inputs)
    if (name !== program.result) yield { ...program, lines: [], result: name };
  for (const [i, { names, stands }] of lines.entries()) {
    if (stands === null) continue;
    const put = (text: string): string =>
      names.reduce((t, name) => t.replaceAll(new RegExp(`\\b${name}\\b`, "g"), stands), text);
    const rest = lines.flatMap((line, j) =>
      j === i ? [] : [{ ...line, expression: put(line.expression), stands: line.stands && put(line.stands) }],
    );
    yield { ...program, lines: rest, result: put(program.result) };
  }
  if (program.weights.length > 1)
    for (let i = 0; i < program.weights.length; i++)
      yield { ...program, weights: program.weights.filter((_, j) => j !== i) };
}
