/** The graph that an audit climbs: a model at two points at once, and how the distance of its outputs grows with each. */
import { good, type Result } from "../diagnostics/result.ts";
import type { Model, Norm, ValueId } from "../model/model.ts";
import { gradients } from "./autodiff.ts";
import type { Builder, Tensor } from "./builder.ts";
import { Builder as GraphBuilder } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { dataInputs, lowerModel, parameterInputs } from "./lower.ts";
import { simplify } from "./passes/simplify.ts";

export interface SteepnessOptions {
  readonly batch: number;
  /** The input that is perturbed; others are the same at both points. */
  readonly input: string;
  /** A value between input and `to`; null: the input itself, whose distance its caller keeps. */
  readonly from: ValueId | null;
  readonly to: ValueId;
  /** Norm of the distances. */
  readonly norm: Norm;
}

/**
 * `param/<path>`, `data/<input>` (the point x) and `other/<input>` (the point y) in; `x` and `y` (the value `to` at both)
 * and `slope/x`, `slope/y` out: the gradients of Σ over the batch of log‖to(y) − to(x)‖, less log‖from(y) − from(x)‖ where
 * there is a `from`; its values at both points then come out as `from/x` and `from/y`.
 */
export function buildSteepnessGraph(model: Model, options: SteepnessOptions): Result<Graph> {
  const { batch, input, from, to, norm } = options;
  const builder = new GraphBuilder();
  const weights = parameterInputs(builder, model);
  const first = dataInputs(builder, model, batch);
  const x = first.get(input);
  if (!x) throw new Error(`no input ${input}`);
  const y = builder.input(`other/${input}`, x.shape);
  const common = { batch, training: false, weights, random: null };
  const results: { readonly to: Tensor; readonly from: Tensor | null }[] = [];
  for (const point of [x, y]) {
    const lowered = lowerModel(builder, model, { ...common, inputs: new Map([...first, [input, point]]) });
    if (!lowered.ok) return lowered;
    const found = (value: ValueId): Tensor => {
      const tensor = lowered.value.get(value);
      if (!tensor) throw new Error(`value ${value} was not computed`);
      return tensor;
    };
    results.push({ to: found(to), from: from === null ? null : found(from) });
  }
  const [fx, fy] = results;
  const moved = logNorm(builder, builder.sub(fy.to, fx.to), norm);
  const steepness =
    fx.from && fy.from ? builder.sub(moved, logNorm(builder, builder.sub(fy.from, fx.from), norm)) : moved;
  const slopes = gradients(builder, steepness, [x, y]);
  return good(
    simplify(
      builder.graph(model.name, [
        { name: "x", tensor: fx.to },
        { name: "y", tensor: fy.to },
        ...(fx.from && fy.from
          ? [
              { name: "from/x", tensor: fx.from },
              { name: "from/y", tensor: fy.from },
            ]
          : []),
        { name: "slope/x", tensor: slopes[0] },
        { name: "slope/y", tensor: slopes[1] },
      ]),
    ),
  );
}

/** Σ over the batch of the logarithm of each sample's norm; a logarithm, so that no sample drowns the others. */
function logNorm(builder: Builder, v: Tensor, norm: Norm): Tensor {
  const axes = v.shape.map((_, i) => i).slice(1);
  // Small beside every float32 distance worth the name, and still a normal number.
  const tiny = 1e-30;
  if (norm === "linf") {
    const largest = builder.max(builder.abs(v), axes);
    return builder.sum(builder.log(builder.add(largest, tiny)), [0]);
  }
  const squares = builder.mul(v, v);
  const tokens =
    norm === "l2" || v.shape.length <= 2
      ? builder.sum(squares, axes)
      : builder.max(builder.sum(squares, [v.shape.length - 1]), axes.slice(0, -1));
  return builder.sum(builder.mul(builder.log(builder.add(tokens, tiny)), 0.5), [0]);
}
