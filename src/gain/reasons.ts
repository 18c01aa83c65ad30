/** Chains of reasons: why a bound is ∞, from the first cause in the network to the last. */
import type { Reason } from "./gain.ts";

/** One link, and how many places share its words. */
export interface Link {
  readonly text: string;
  /** Paths of the nodes or weights it speaks of, first one first. */
  readonly paths: readonly string[];
  readonly fix: string | null;
  readonly kind: Reason["kind"] | null;
}

/**
 * The links of a chain, deepest first: what each rests on stands before it. Links of the same words are one link with
 * several places. Reasons are shared between values, so each is visited once.
 */
export function linksOf(why: Reason): readonly Link[] {
  const links = new Map<
    string,
    { text: string; paths: string[]; fix: string | null; kind: Reason["kind"] | null }
  >();
  const seen = new Set<Reason>([why]);
  const stack: { reason: Reason; next: number }[] = [{ reason: why, next: 0 }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const { reason } = top;
    const child = reason.because[top.next++];
    if (child) {
      if (!seen.has(child)) {
        seen.add(child);
        stack.push({ reason: child, next: 0 });
      }
      continue;
    }
    stack.pop();
    const link = links.get(reason.text) ?? {
      text: reason.text,
      paths: [],
      fix: reason.fix ?? null,
      kind: reason.kind ?? null,
    };
    if (reason.path !== null && !link.paths.includes(reason.path)) link.paths.push(reason.path);
    link.fix ??= reason.fix ?? null;
    links.set(reason.text, link);
  }
  return [...links.values()];
}

/** What to change, in the spec's words: the fixes that the chain names, each once. */
export function fixesOf(why: Reason): readonly string[] {
  return [...new Set(linksOf(why).flatMap((link) => (link.fix === null ? [] : [link.fix])))];
}

/** The chain in one line. */
export function tell(why: Reason): string {
  return linksOf(why)
    .map((link) => link.text)
    .join("; ");
}
