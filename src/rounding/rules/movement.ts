/** Primitives that only move entries: nothing is rounded, norms follow from which entries share a row. */
import type { Op } from "../../graph/graph.ts";
import { hypotUp, maxUp, mulUp, sqrtUp } from "../../gain/up.ts";
import {
  broadcast as repeated,
  closed,
  infinite,
  isZero,
  rowLength,
  zero,
  type Deviation,
} from "../deviation.ts";
import type { Value } from "../value.ts";
import type { Rule, Step } from "./rule.ts";

type Partly<O extends Op> = Omit<Step<O>, "reach">;

/** The least entry and the partial sums stay what they are. */
const same = {
  low: ({ inputs: [x] }: { readonly inputs: readonly Value[] }): number => x.low,
  terms: ({ inputs: [x] }: { readonly inputs: readonly Value[] }): number => x.terms,
};

/** A row of the result is (part of) a row of x, or r of them in a row. */
export const reshape: Rule<"reshape"> = {
  ...same,
  through({ inputs: [x], shape }, [d]) {
    const [before, after] = [rowLength(x.shape), rowLength(shape)];
    let row = Infinity;
    if (before > 0 && before % after === 0) row = d.row;
    else if (after > 0 && after % before === 0) row = mulUp(sqrtUp(after / before), d.row);
    return closed({ linf: d.linf, row, l2: d.l2 }, shape);
  },
};

export const broadcast: Rule<"broadcast"> = {
  ...same,
  through: ({ inputs: [x], shape }, [d]) => repeated(d, x.shape, shape),
};

export const transpose: Rule<"transpose"> = {
  ...same,
  through({ attributes: { order }, shape }, [d]) {
    const stays = order.length === 0 || order[order.length - 1] === order.length - 1;
    return closed({ linf: d.linf, row: stays ? d.row : Infinity, l2: d.l2 }, shape);
  },
};

/** Some of the entries, rows of parts of rows. */
export const slice: Rule<"slice"> = { ...same, through: ({ shape }, [d]) => closed(d, shape) };

/** Zeros round it. */
export const pad: Rule<"pad"> = {
  low: ({ inputs: [x] }) => Math.min(x.low, 0),
  through: ({ shape }, [d]) => closed(d, shape),
};

export const concat: Rule<"concat"> = {
  low: ({ inputs }) => Math.min(...inputs.map((x) => x.low)),
  through({ attributes: { axis }, shape }, ds) {
    const rows = ds.map((d) => d.row);
    return closed(
      {
        linf: maxUp(...ds.map((d) => d.linf)),
        row: axis === shape.length - 1 ? hypotUp(...rows) : maxUp(...rows),
        l2: hypotUp(...ds.map((d) => d.l2)),
      },
      shape,
    );
  },
};

/** Rows by exact indices. */
export const gather: Rule<"gather"> = {
  low: ({ inputs: [x] }) => x.low,
  through({ inputs: [x, indices], attributes: { axis }, shape }: Partly<"gather">, [d]): Deviation {
    if (!isZero(indices.spread)) return infinite;
    if (isZero(d)) return zero;
    return closed({ linf: d.linf, row: axis < x.shape.length - 1 ? d.row : Infinity }, shape);
  },
};
