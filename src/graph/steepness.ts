/** The graph that an audit climbs: a model at two points at once, and how the distance of its outputs grows with each. */
import { good, type Result } from "../diagnostics/result.ts";
import type { Model, Norm } from "../model/model.ts";
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
  readonly output: string;
  /** Norm of the output's distance. */
  readonly norm: Norm;
}

/**
 * `param/<path>`, `data/<input>` (the point x) and `other/<input>` (the point y) in; `x` and `y` (the outputs at both) and
 * `slope/x`, `slope/y` out: the gradients of Σ over the batch of log‖f(y) − f(x)‖.
 */
export function buildSteepnessGraph(model: Model, options: SteepnessOptions): Result<Graph> {
  const { batch, input, output, norm } = options;
  const builder = new GraphBuilder();
  const weights = parameterInputs(builder, model);
  const first = dataInputs(builder, model, batch);
  const x = first.get(input);
  const value = model.outputs.find((o) => o.name === output)?.value;
  if (!x || value === undefined) throw new Error(`no input ${input} or output ${output}`);
  const y = builder.input(`other/${input}`, x.shape);
  const common = { batch, training: false, weights, random: null };
  const results: Tensor[] = [];
  for (const point of [x, y]) {
    const lowered = lowerModel(builder, model, { ...common, inputs: new Map([...first, [input, point]]) });
    if (!lowered.ok) return lowered;
    const found = lowered.value.get(value);
    if (!found) throw new Error(`output ${output} was not computed`);
    results.push(found);
  }
  const [fx, fy] = results;
  const slopes = gradients(builder, logNorm(builder, builder.sub(fy, fx), norm), [x, y]);
  return good(
    simplify(
      builder.graph(model.name, [
        { name: "x", tensor: fx },
        { name: "y", tensor: fy },
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
