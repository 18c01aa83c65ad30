/** Functions as text, in TypeScript or as the JavaScript that is left of it without types. */
import type { FunctionText, Outline } from "./outline.ts";
import { width } from "./layout.ts";

export interface PrintOptions {
  readonly types: boolean;
}

export function printFunction(text: FunctionText, { types }: PrintOptions): string {
  const typed = (name: string, type: string): string => (types ? `${name}: ${type}` : name);
  const parameters = text.parameters.map((p) => typed(p.name, p.type));
  return [head(`function ${text.name}`, parameters), ...text.body, "}"].join("\n");
}

function head(name: string, parameters: readonly string[]): string {
  const line = `${name}(${parameters.join(", ")}) {`;
  return line.length <= width ? line : `${name}(\n${parameters.map((p) => `  ${p},\n`).join("")}) {`;
}

/** A program as JavaScript: the body of a function of `tf` and `support` that returns the main function. */
export function printProgram(outline: Outline): string {
  const support = [...outline.callees].filter((callee) => !callee.startsWith("tf.")).sort();
  return [
    '"use strict";',
    `const { ${support.join(", ")} } = support;`,
    ...outline.functions.map((f) => printFunction(f, { types: false })),
    "return function main(run) {",
    ...outline.main,
    "};",
    "",
  ].join("\n");
}
