/** What a large model keeps its user waiting for, before anything else can be shown. */
import type { Model } from "../model/model.ts";
import { countParameters } from "./report/figures.ts";
import { showLarge } from "./report/numbers.ts";

/** Spectral norms of the initial weights are proven at about 10 million weights a second. */
const quick = 5e6;

/** One line, or null where the wait is not noticed. */
export function waitingFor(model: Model, drawn: boolean): string | null {
  const count = countParameters(model);
  if (count < quick) return null;
  return `setup    compiling${drawn ? `, and drawing ${showLarge(count)} initial weights` : ""} …`;
}
