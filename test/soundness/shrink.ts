/** Counterexamples made small: first the program, by attacking simpler ones, then weights and points, by replaying them. */
import { modelOf } from "../elaborate/host.ts";
import type { AttackOptions, Violation } from "./attack.ts";
import { attackSource } from "./campaign.ts";
import { intoDomain } from "./domain.ts";
import { render, simpler, type Program } from "./program.ts";
import { intoRanges, keeper } from "./tensors.ts";
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
    if (!legal(candidate)) return false;
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
  // Points inside of a model lie in a range that digits alone don't show.
  if (!(best.from in best.inputs)) return { ...result, witness: best };
  for (const side of ["x", "y"] as const)
    for (const digits of [1, 2, 4])
      if (keep({ ...best, [side]: best[side].map((v) => Number(v.toPrecision(digits))) })) break;
  return { ...result, witness: best };
}

/** Whether points lie in the domains of inputs, and weights where training (or the facts of their constraint) keeps them. */
function legal({ source, phase, weightsAre, weights, inputs, from, x, y }: Witness): boolean {
  const model = modelOf(source);
  const stays = (data: readonly number[], put: (data: Float64Array) => void): boolean => {
    const copy = Float64Array.from(data);
    put(copy);
    return copy.every((v, i) => Math.abs(v - data[i]) <= 1e-12 * Math.abs(data[i]));
  };
  const inside = (name: string, point: readonly number[]): boolean => {
    const input = model.inputs.find((i) => i.name === name);
    return !input || stays(point, (p) => intoDomain(p, model.values[input.value].shape, input.domain));
  };
  const [ranges, points] = [intoRanges(model), [...Object.entries(inputs), [from, x], [from, y]] as const];
  return (
    points.every(([name, point]) => inside(name, point)) &&
    model.weights.every((weight, i) =>
      stays(weights[weight.path], (data) =>
        weightsAre === "free" ? ranges(i, data) : keeper(weight, phase)?.(data),
      ),
    )
  );
}
