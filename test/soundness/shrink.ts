/** Counterexamples made small: first the program, by attacking simpler ones, then weights and points, by replaying them. */
import type { AttackOptions, Violation } from "./attack.ts";
import { attackSource } from "./campaign.ts";
import { render, simpler, type Program } from "./program.ts";
import { broken, replay, type Rules, type Witness } from "./witness.ts";

/** Greedy: takes the first simpler program that still breaks a bound, until there is none or the time is up. */
export function shrink(
  program: Program,
  first: Violation,
  seed: number,
  options: AttackOptions,
  seconds = 60,
): { program: Program; violation: Violation } {
  const end = Date.now() + 1000 * seconds;
  let [best, violation] = [program, first];
  const tried = new Set([render(program)]);
  for (let better: Program | null = program; better && Date.now() < end;) {
    better = null;
    for (const candidate of simpler(best)) {
      const text = render(candidate);
      if (tried.has(text) || Date.now() > end) continue;
      tried.add(text);
      const found = violationOf(text, seed, violation, options);
      if (!found) continue;
      [better, best, violation] = [candidate, candidate, found];
      break;
    }
  }
  return { program: best, violation: { ...violation, ...plainNumbers(violation, options.rules ?? {}) } };
}

function violationOf(
  source: string,
  seed: number,
  like: Violation,
  options: AttackOptions,
): Violation | null {
  const { phase } = like.witness;
  const attacked = attackSource(source, seed, { ...options, phases: [phase], hunts: 8 }, 3);
  return attacked?.attacks.flatMap((a) => a.violations)[0] ?? null;
}

/** The same breach with numbers that are easier to read, tensor by tensor: zeros, one sign, few digits. */
function plainNumbers({ witness }: Violation, rules: Rules): Partial<Violation> {
  let best = witness;
  let result = replay(witness, rules);
  if (!broken(witness, result)) return {};
  const keep = (candidate: Witness): boolean => {
    const now = replay(candidate, rules);
    if (!broken(candidate, now)) return false;
    [best, result] = [candidate, now];
    return true;
  };
  const plain: readonly ((data: readonly number[]) => number[])[] = [
    (data) => data.map(() => 0),
    (data) => data.map(() => 1),
    (data) => data.map(Math.sign),
    ...[1, 2, 4].map((digits) => (data: readonly number[]) => data.map((v) => Number(v.toPrecision(digits)))),
  ];
  const changes = (data: readonly number[], keepIt: (data: number[]) => boolean): void => {
    plain.some((change) => keepIt(change(data)));
  };
  for (const path of Object.keys(best.weights))
    changes(best.weights[path], (data) => keep({ ...best, weights: { ...best.weights, [path]: data } }));
  for (const name of Object.keys(best.inputs))
    changes(best.inputs[name], (data) => keep({ ...best, inputs: { ...best.inputs, [name]: data } }));
  // Points stay where they are told to be by zeros and digits alone: another point may lie outside of the domain.
  for (const side of ["x", "y"] as const)
    for (const digits of [1, 2, 4])
      if (keep({ ...best, [side]: best[side].map((v) => Number(v.toPrecision(digits))) })) break;
  return { ...result, witness: best };
}
