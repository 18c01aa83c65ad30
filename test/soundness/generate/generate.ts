/** Random well-typed sources over all layers and constraints: short, so that bounds stay near to what is attained. */
import type { Shape } from "../../../src/model/model.ts";
import type { Dice } from "../dice.ts";
import type { Line, Program } from "../program.ts";
import { plain, policy } from "./layers.ts";
import { expressionOf } from "./line.ts";
import { blocks } from "./steps.ts";

export interface Named {
  readonly name: string;
  readonly shape: Shape;
}

/** A typed growing program: `shapesOf` elaborates a candidate and gives the shapes of the last line, or null. */
export function generate(d: Dice, shapesOf: (candidate: Program) => readonly Shape[] | null): Program {
  const shapes: Shape[] = [
    [4],
    [6],
    [3, 4],
    [5, 2],
    [4, 6],
    [2, 2, 4],
    [4, 4, 2],
    [3, 4, 3],
    [6, 4, 1],
    [3, 2, 8],
    [1],
    [1, 4],
    [4, 1],
    [2, 1, 3],
    [1, 1, 4],
  ];
  const domains = [
    "[0, 1]",
    "[-1, 1]",
    "[-1/2, 3]",
    "ball(l2, 2)",
    "ball(token, 1)",
    "ball(linf, 1/3)",
    "ball(l2, 1/20)",
    "[-3, -1]",
    null,
    null,
  ];
  const weights = policy(d);
  const first = { name: "x", shape: d.pick(shapes), domain: d.pick(domains) };
  const second = { name: "z", shape: d.chance(0.7) ? first.shape : d.pick(shapes), domain: d.pick(domains) };
  const ids = { name: "ids", shape: [4], domain: "tokens(5)" };
  const inputs = d.chance(0.07) ? [ids] : d.chance(0.25) ? [first, second] : [first];
  let program: Program = { blocks, weights, inputs, lines: [], result: inputs[0].name };
  const known: Named[] = inputs.map(({ name, shape }) => ({ name, shape }));
  if (inputs[0] === ids) {
    const width = d.pick([4, 6]);
    program = {
      ...program,
      lines: [{ names: ["v1"], expression: `ids |> Embedding(${width})`, stands: null }],
      result: "v1",
    };
    known.splice(0, 1, { name: "v0", shape: [] }, { name: "v1", shape: [4, width] });
  }
  const length = 1 + d.below(5);
  for (let tries = 0; program.lines.length < length && tries < 30; tries++) {
    const readable = known.filter(({ shape }) => shape.length > 0);
    const x = d.chance(0.7) ? readable[readable.length - 1] : d.pick(readable);
    const { text, parts } = expressionOf(d, x, readable);
    const names = Array.from({ length: parts }, (_, i) => `v${known.length + i}`);
    const line: Line = { names, expression: text, stands: null };
    const candidate: Program = { ...program, lines: [...program.lines, line], result: names[0] };
    const found = shapesOf(candidate);
    if (!found || found.length !== parts || found[0].reduce((a, b) => a * b, 1) > 150) continue;
    const stands = found[0].join() === x.shape.join() ? x.name : null;
    program = { ...candidate, lines: [...program.lines, { ...line, stands }] };
    names.forEach((name, i) => known.push({ name, shape: found[i] }));
    // What was split is put together again, each part by a way of its own.
    if (parts > 1 && d.chance(0.7)) {
      const joined = `v${known.length}`;
      const ways = names.map((name) =>
        d.chance(0.7) ? `(${name} |> ${plain(d, found[0].at(-1) as number)})` : name,
      );
      const again: Line = {
        names: [joined],
        expression: d.chance(0.6) ? `Concat(${ways.join(", ")})` : ways.slice(0, 2).join(" * "),
        stands: null,
      };
      const whole: Program = { ...program, lines: [...program.lines, again], result: joined };
      const shape = shapesOf(whole);
      if (shape) {
        program = whole;
        known.push({ name: joined, shape: shape[0] });
      }
    }
  }
  return program;
}
