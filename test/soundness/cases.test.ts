/** What once broke a bound doesn't any more; and replaying can tell. */
import { expect, test } from "vitest";
import { cases } from "./cases.ts";
import { broken, replay } from "./witness.ts";

const everyone = Object.entries(cases).flatMap(([name, witness]) => [
  { name, who: "the analysis", witness, rules: {} },
  { name, who: "the checker", witness, rules: { checker: true } as const },
]);

test.each(everyone)("$who: $name", ({ witness, rules }) => {
  const replayed = replay(witness, rules);
  expect(replayed.bound).toBeLessThan(Infinity);
  expect(broken(witness, replayed), JSON.stringify(replayed)).toBe(false);
});

test("a replay tells what is broken: the map that doubles, claimed to be a bound of 1", () => {
  const source = "model M {\n  input x: [2]\n  output y = x |> Scale(2)\n}";
  const witness = {
    source,
    phase: "always",
    weightsAre: "free",
    weights: {},
    inputs: { x: [0, 0] },
    x: [0, 0],
    y: [1, 1],
    claimed: { kind: "gain", normIn: "l2", normOut: "l2" },
    from: "x",
    to: "scale",
  } as const;
  const { bound, attained } = replay(witness);
  expect([bound, attained]).toEqual([2, expect.closeTo(2, 10)]);
  expect(broken(witness, { bound: 1, attained })).toBe(true);
  expect(broken(witness, { bound: 1, attained: NaN })).toBe(true);
});
