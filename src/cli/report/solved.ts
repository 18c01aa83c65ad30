/** What `solve` found, or why it found nothing, for people. */
import type { Diagnostics } from "../../diagnostics/diagnostic.ts";
import { exactText, show } from "../../elaborate/rational.ts";
import type { Verdict } from "../../gain/claims.ts";
import { linksOf } from "../../gain/reasons.ts";
import type { Model, Solve } from "../../model/model.ts";
import type { Solution, Tried, Unsolved } from "../../solve/solve.ts";
import type { Trial } from "../../solve/search.ts";
import { lineOf, placesOf, spansOf, type ModelReport, type Sources } from "./collect.ts";
import { largestCauses } from "./diagnose.ts";
import { phaseName, plural, showBound } from "./numbers.ts";
import { tabulate, wrap, type Paint } from "./table.ts";

/** The unknown as messages name it; in words where the spec gives it no name. */
function nameOf({ name }: Pick<Solve, "name">): string {
  return name === null ? "number" : `\`${name}\``;
}

/** The number with its derivation: the interval, the side, the bound with it, and the bound just beyond. */
export function solutionLines({ solved }: ModelReport, sources: Sources, paint: Paint): string[] {
  if (solved?.kind !== "found") return [];
  const { solve, beyond } = solved;
  const title = `  ${solve.name === null ? "" : `${solve.name} = `}${solve.value}, found by solve(in: [${solve.low}, ${solve.high}])`;
  const rows = [rowOf(solved.at, "✓", paint), ...(beyond ? [rowOf(beyond, "✗", paint)] : [])];
  return [
    `${paint("bold", title)}  ${paint("dim", `line ${lineOf(solve.span, sources)}`)}`,
    ...wrap(derivation(solved)),
    ...tabulate(rows, [
      { align: "left" },
      { align: "right" },
      { align: "left" },
      { align: "left", most: 70 },
    ]),
  ];
}

function derivation({ at, side, beyond, tried, solve }: Solution): string {
  if (beyond === null && [solve.low, solve.high].includes(exactText(at.value)))
    return `the ${side} of the interval: claims hold with all ${plural(tried, "value")} tried; this one is proven`;
  const [holds, fails] = side === "largest" ? ["below", "above"] : ["above", "below"];
  return `the ${side} of three digits: claims hold ${holds} it, fail ${fails} it (${tried} tried); this one is proven`;
}

/** `✓ 0.0431  1.99  always: gain(x -> y) <= 2` */
function rowOf({ value, made, excess }: Trial<Tried>, mark: string, paint: Paint): string[] {
  const { verdict, model } = made;
  const colored = paint(mark === "✓" ? "good" : "bad", mark);
  if (!verdict) return [colored, show(value), model ? "no claim is left" : "refused by the spec", ""];
  const bound = Number.isFinite(excess) ? `proven ${showBound(verdict.upper)}` : "no bound";
  return [colored, show(value), bound, `${phaseName(verdict.claim.phase)}: ${verdict.claim.text}`];
}

/** Why there is no number: as diagnostics, at the `solve`. */
export function tellUnsolved(
  outcome: Unsolved,
  model: Model,
  sources: Sources,
  diagnostics: Diagnostics,
): void {
  const { solve } = model;
  if (!solve) return;
  const { low, high, span } = solve;
  const name = nameOf(solve);
  switch (outcome.kind) {
    case "no-claims":
      return diagnostics.report("solve-without-claims", span, { model: model.name, name: theName(solve) });
    case "idle":
      return diagnostics.report("solve-idle", span, { name, low, high });
    case "not-one-sided": {
      const holds = outcome.holds.map(({ from, to }) =>
        show(from) === show(to) ? show(from) : `[${show(from)}, ${show(to)}]`,
      );
      return diagnostics.report("solve-not-one-sided", span, { name, low, high, holds });
    }
    case "none": {
      const { value, made } = outcome.nearest;
      const { verdict } = made;
      const finite = verdict !== null && Number.isFinite(verdict.upper);
      const related = verdict ? [{ span: verdict.claim.span, message: "claimed here" }] : [];
      return diagnostics.report(
        "no-solution",
        span,
        {
          name,
          low,
          high,
          nearest: show(value),
          upper: finite ? showBound(verdict.upper) : null,
          claim: verdict?.claim.text ?? "",
          causes: verdict ? causesOf(verdict, made, sources) : [],
        },
        { related },
      );
    }
  }
}

function theName(solve: Solve): string {
  return solve.name === null ? "its number" : nameOf(solve);
}

/** The factors that stay, or the reasons why there is no bound. */
function causesOf(verdict: Verdict, { model, analysisOf }: Tried, sources: Sources): string[] {
  if (!model || !analysisOf) return [];
  if (Number.isFinite(verdict.upper))
    return verdict.claim.kind === "radius"
      ? []
      : largestCauses(verdict, { model, analysisOf }, sources, true);
  if (!verdict.why) return [];
  const spans = spansOf(model);
  return linksOf(verdict.why)
    .slice(0, 4)
    .map((link) => {
      const places = placesOf(link.paths, model, spans, sources);
      return places === "" ? link.text : `${link.text} (${places})`;
    });
}
