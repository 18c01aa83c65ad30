/** `audit` for people and for tools: observed ≤ true ≤ proven. */
import { diagnostic, type Diagnostic } from "../../diagnostics/diagnostic.ts";
import { norms } from "../../gain/gain.ts";
import type { Norm } from "../../model/model.ts";
import { showBound, showFactor } from "./numbers.ts";
import { tabulate, wrap, type Paint } from "./table.ts";

/** observed ≤ true ≤ upper, in one norm of input and output. */
export interface Bracket {
  readonly from: string;
  readonly to: string;
  readonly norm: Norm;
  readonly observed: number;
  readonly upper: number;
}

/** An observation above the proof, as an error; null where there is none. */
export function broken({ from, to, norm, observed, upper }: Bracket): Diagnostic | null {
  if (observed <= upper) return null;
  const names = { from, to, norm, observed: String(observed), upper: String(upper) };
  return diagnostic("bound-broken", null, names);
}

/** Those of one part of the model, in the order of `norms`. */
export interface BlockBrackets {
  readonly name: string;
  readonly brackets: readonly Bracket[];
}

/** The model's own gains, then its blocks'. */
export function auditText(
  brackets: readonly Bracket[],
  blocks: readonly BlockBrackets[],
  seconds: number,
  paint: Paint,
): string {
  const several = new Set(brackets.map(({ from, to }) => `${from} ${to}`)).size > 1;
  const rows = brackets.map((bracket) => {
    const { from, to, norm, observed, upper } = bracket;
    const holds = broken(bracket) === null;
    return [
      holds ? paint("good", "✓") : paint("bad", "✗"),
      ...(several ? [`${from} → ${to}`] : []),
      norm,
      observed > 0 ? observed.toPrecision(4) : "0",
      holds ? "≤ true ≤" : "> !",
      showBound(upper),
      observed > 0 ? `×${showFactor(upper / observed)}` : "",
    ];
  });
  const { from, to } = brackets[0];
  const head = ["", ...(several ? [""] : []), "", "observed", "", "proven", "proven/observed"];
  const align = head.map((_, i) => ({ align: i < head.length - 4 ? ("left" as const) : ("right" as const) }));
  const [first, ...lines] = tabulate([head, ...rows], align);
  const told =
    "Observed: the largest ‖f(x) − f(y)‖/‖x − y‖ found between two inputs of the domain, in float64, less its rounding " +
    `error. A longer search (--restarts, --steps) may find more. ${seconds.toFixed(1)} s.`;
  return (
    [
      paint("bold", several ? "  gains" : `  gain ${from} → ${to}`),
      paint("dim", first),
      ...lines,
      "",
      ...blockRows(blocks, paint),
      ...wrap(told).map((line) => paint("dim", line)),
    ].join("\n") + "\n"
  );
}

/** One row for each block; the norm where proof and search are farthest apart marks the loosest. */
function blockRows(blocks: readonly BlockBrackets[], paint: Paint): string[] {
  if (blocks.length === 0) return [];
  const ratioOf = ({ upper, observed }: Bracket): number => upper / observed;
  const loosest = (norm: number): number =>
    Math.max(...blocks.map(({ brackets }) => ratioOf(brackets[norm])));
  const worst = norms.map((_, norm) => loosest(norm));
  const holds = ({ brackets }: BlockBrackets): boolean => brackets.every((b) => broken(b) === null);
  // Marks take columns, which are scarce: only where there is one.
  const marked = blocks.some((block) => !holds(block));
  const rows = blocks.map((block) => [
    ...(marked ? [holds(block) ? "" : paint("bad", "✗")] : []),
    block.name,
    ...block.brackets.flatMap((b, norm) => [
      b.observed > 0 ? b.observed.toPrecision(3) : "0",
      showBound(b.upper),
      b.observed > 0 ? `×${showFactor(ratioOf(b))}${ratioOf(b) === worst[norm] ? "←" : " "}` : "",
    ]),
  ]);
  const head = [...(marked ? [""] : []), "block", ...norms.flatMap((norm) => [norm, "proven", "ratio "])];
  const [first, ...lines] = tabulate(
    [head, ...rows],
    head.map((title) =>
      title === "block" ? { align: "left", most: 32, least: 8 } : { align: title === "" ? "left" : "right" },
    ),
  );
  const told =
    "Blocks: from what enters one to what it gives, both at points that inputs of the domain lead to; ← the loosest.";
  return [
    paint("bold", "  blocks"),
    paint("dim", first),
    ...lines,
    "",
    ...wrap(told).map((line) => paint("dim", line)),
  ];
}

export function bracketDocument({ observed, upper, ...names }: Bracket): object {
  return {
    ...names,
    observed,
    upper: Number.isFinite(upper) ? upper : "Infinity",
    ratio: Number.isFinite(upper / observed) ? upper / observed : null,
  };
}
