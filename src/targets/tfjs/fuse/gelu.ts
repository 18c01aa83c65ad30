/** GELU and its derivative, which comes as eleven calls: both from one distribution function, in the forward pass. */
import { liveProgram, operand, type Emitter, type Program, type Value } from "../program.ts";
import { Rewriter } from "../rewrite.ts";

/** dy·½ times (erf(u) + u·e^(c − u²)) + 1 with u = x/√2 → geluGradient(x, dy) */
export function fuseGeluGradient(e: Emitter, value: Value): Value | null {
  if (value.callee !== "tf.mul") return null;
  const [half, slope] = operands(value);
  const x = slope && slopeOf(slope);
  if (!x || !half || half.callee !== "tf.mul" || numberAt(half, 1) !== 0.5) return null;
  return e.call("geluGradient", [x, operand(half, 0)], value.shape);
}

/** x, where the value is twice the derivative of GELU at x. */
function slopeOf(value: Value): Value | null {
  if (value.callee !== "tf.add" || numberAt(value, 1) !== 1) return null;
  const sum = operand(value, 0);
  if (sum.callee !== "tf.add") return null;
  const [erf, tail] = operands(sum);
  if (erf?.callee !== "tf.erf" || tail?.callee !== "tf.mul") return null;
  const u = operand(erf, 0);
  const [first, exp] = operands(tail);
  if (first !== u || exp?.callee !== "tf.exp") return null;
  const inner = operand(exp, 0);
  if (inner.callee !== "tf.sub" || numberAt(inner, 0) !== Math.log(2 / Math.sqrt(Math.PI))) return null;
  const square = operand(inner, 1);
  if (square.callee !== "tf.square" || operand(square, 0) !== u) return null;
  return u.callee === "tf.mul" && numberAt(u, 1) === Math.SQRT1_2 ? operand(u, 0) : null;
}

/** Both operands, where both are tensors. */
function operands(value: Value): readonly Value[] {
  return value.args.flatMap((arg) => (arg.kind === "value" ? [arg.value] : []));
}

function numberAt(value: Value, at: number): number | null {
  const arg = value.args[at];
  return arg?.kind === "number" ? arg.number : null;
}

/**
 * Where x has both gelu(x) and geluGradient(x, dy): Φ(x) once, y = x·Φ(x), and the slope at x, which is kept for the
 * backward pass in the place of x.
 */
export function shareGelu({ name, values, outputs }: Program): Program {
  const differentiated = new Set(values.filter((v) => v.callee === "geluGradient").map((v) => operand(v, 0)));
  const slopes = new Map<Value, Value>();
  const rewriter = new Rewriter(values);
  for (const value of values) {
    const x = value.callee === "gelu" || value.callee === "geluGradient" ? operand(value, 0) : null;
    if (x === null || (value.callee === "gelu" && !differentiated.has(x))) {
      rewriter.keep(value);
    } else if (value.callee === "gelu") {
      const now = rewriter.current(x);
      const cdf = rewriter.call("normalCdf", [now], value);
      rewriter.replace(value, rewriter.call("tf.mul", [now, cdf], value));
      slopes.set(x, rewriter.call("geluSlope", [now, cdf], value));
    } else {
      const dy = rewriter.current(operand(value, 1));
      const slope =
        slopes.get(x) ??
        rewriter.call(
          "geluSlope",
          [rewriter.current(x), rewriter.call("normalCdf", [rewriter.current(x)], value)],
          value,
        );
      rewriter.replace(value, rewriter.call("tf.mul", [dy, slope], value));
    }
  }
  return liveProgram({
    name,
    values: rewriter.values,
    outputs: outputs.map((o) => ({ ...o, value: rewriter.current(o.value) })),
  });
}
