/** Shape rule of `Attend`: reads its options, checks that heads and regions come out whole, makes its weights. */
import { compare, show, toNumber, zero } from "../../elaborate/rational.ts";
import { stored } from "../../gain/up.ts";
import type { Coefficient, Shape } from "../../model/model.ts";
import { showShape } from "../check.ts";
import type { Call, OptionArgs, Plan } from "../layer.ts";
import type { AttendConfig, LocalConfig, ScoreConfig, ValuesConfig } from "./config.ts";
import { tableLength } from "./positions.ts";
import { divisors, partitionOf, type RegionConfig } from "./regions.ts";

export function inferAttend(call: Call): Plan<AttendConfig> | undefined {
  const [q, k, v] = call.inputs.map((input) => input.shape);
  const heads = call.int("heads");
  const over = readRegion(call.option("over"));
  const position = call.option("position").name as AttendConfig["position"];
  const causal = call.bool("causal");
  if (!checkShapes(call, q, k, v, over, position, causal)) return undefined;
  const [channels, width] = [channelsIn(q), channelsIn(v)];
  checkHeads(call, heads, channels, width);
  checkRegion(call, over, q);
  checkPosition(call, position, over, q, channels / heads);
  if (call.failed) return undefined;

  const score = readScore(call, heads, channels / heads);
  const values = readValues(call, heads);
  const local = readLocal(call, over, q);
  if (call.failed) return undefined;
  const weights: Record<string, number> = {};
  if (position === "relative") {
    // The authors' start (Liu et al., 2021): small, whatever the policy says for matrices; nothing constrains it.
    const init = { kind: "trunc_normal", std: stored(0.02) } as const;
    const shape = [tableLength(partitionOf(over, q)), heads];
    weights.position = call.weight("position", { shape, role: "table", init, constraint: { kind: "none" } });
  }
  if (local) {
    const shape = [width, 1, local.kernel, local.kernel];
    weights["local.weight"] = call.weight("local.weight", {
      shape,
      role: "depthwise",
      overlapping: local.kernel > 1,
    });
    if (local.bias) {
      weights["local.bias"] = call.weight("local.bias", {
        shape: [width],
        role: "bias",
        init: { kind: "zeros" },
      });
    }
  }
  for (const [name, coefficient] of namedCoefficients(score, values)) {
    if (coefficient.kind === "learned") weights[name] = coefficient.weight;
  }
  const config = { heads, score, values, over, position, causal, local };
  return { config, outputs: [[...q.slice(0, -1), width]], weights };
}

function channelsIn(shape: Shape): number {
  return shape[shape.length - 1];
}

function namedCoefficients(score: ScoreConfig, values: ValuesConfig): [string, Coefficient][] {
  const named: [string, Coefficient][] = [];
  if (score.kind === "cosine") named.push(["tau", score.tau]);
  else if (score.scale) named.push(["scale", score.scale]);
  if (values.kind === "unit") named.push(["nu", values.nu]);
  return named;
}

function checkShapes(
  call: Call,
  q: Shape,
  k: Shape,
  v: Shape,
  over: RegionConfig,
  position: AttendConfig["position"],
  causal: boolean,
): boolean {
  const why = (): string | null => {
    if (q.length === 0 || k.length === 0 || v.length === 0) return "each needs a channel axis";
    if (channelsIn(q) !== channelsIn(k))
      return "queries and keys are compared, so they need the same channels";
    if (!samePositions(k, v)) return "each key needs one value";
    const alone = over.kind === "global" && position === "none" && !causal && !call.has("local");
    if (!samePositions(q, k) && !alone) {
      return "with windows, positions, a causal order or `local`, queries and keys must be the same tokens";
    }
    return null;
  };
  const found = why();
  if (found === null) return true;
  call.fail("attend-shapes", { q: showShape(q), k: showShape(k), v: showShape(v), why: found });
  return false;
}

function samePositions(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.slice(0, -1).every((n, i) => n === b[i]);
}

function checkHeads(call: Call, heads: number, channels: number, width: number): void {
  const both = divisors(channels).filter((n) => width % n === 0);
  const bad =
    channels % heads !== 0 ? { channels, what: "the queries" } : { channels: width, what: "the values" };
  if (bad.channels % heads !== 0) call.fail("heads-divide", { heads, ...bad, possible: both }, "heads");
}

function readRegion(option: OptionArgs): RegionConfig {
  switch (option.name) {
    case "windows":
      return { kind: "windows", size: option.int("size"), shift: option.int("shift", 0) };
    case "stripes": {
      const direction = option.word("direction") === "vertical" ? "vertical" : "horizontal";
      return { kind: "stripes", width: option.int("width"), direction };
    }
    case "grid":
      return { kind: "grid", size: option.int("size") };
    default:
      return { kind: "global" };
  }
}

function checkRegion(call: Call, over: RegionConfig, shape: Shape): void {
  if (over.kind === "global") return;
  const layer = `Attend(over: ${over.kind})`;
  if (shape.length !== 3) {
    call.fail(
      "wrong-rank",
      { layer, works: "a map", expected: "[h, w, c]", found: showShape(shape) },
      "over",
    );
    return;
  }
  const [height, width] = shape;
  const map = `${/^8|^1[18]$/.test(String(height)) ? "an" : "a"} ${height} × ${width} map`;
  const check = (what: string, size: number, sides: readonly number[]): void => {
    const side = sides.find((n) => n % size !== 0);
    if (side === undefined) return;
    const whole = Math.floor(side / size) * size;
    const rest = whole === 0 ? `${side} is less than ${size}` : `${side} = ${whole} + ${side - whole}`;
    const possible = divisors(sides[0]).filter((d) => sides.every((n) => n % d === 0));
    call.fail("does-not-tile", { what, size, map, rest, possible }, "over");
  };
  if (over.kind === "windows") {
    check("Windows", over.size, [height, width]);
    if (over.shift >= over.size) {
      const allowed = `less than the window's size, ${over.size}`;
      call.fail("out-of-range", { argument: "shift", found: String(over.shift), allowed }, "over");
    }
  } else if (over.kind === "stripes") {
    check("Stripes", over.width, [over.direction === "horizontal" ? height : width]);
  } else {
    check("Grid patches", over.size, [height, width]);
  }
}

function checkPosition(
  call: Call,
  position: AttendConfig["position"],
  over: RegionConfig,
  q: Shape,
  head: number,
): void {
  if (position === "relative" && q.length === 1) {
    const layer = "Attend(position: relative)";
    call.fail(
      "wrong-rank",
      { layer, works: "positions", expected: "[n, c] or [h, w, c]", found: showShape(q) },
      "position",
    );
  }
  if (position !== "rotary") return;
  if (q.length !== 2 || over.kind !== "global") {
    const layer = "Attend(position: rotary)";
    call.fail(
      "wrong-rank",
      { layer, works: "a sequence", expected: "[n, c]", found: showShape(q) },
      "position",
    );
  } else if (head % 2 !== 0) {
    const allowed = "even, because rotary positions turn pairs of channels";
    call.fail("out-of-range", { argument: "channels per head", found: String(head), allowed }, "position");
  }
}

function readScore(call: Call, heads: number, head: number): ScoreConfig {
  const option = call.option("score");
  const shapes: readonly Shape[] = [[], [heads]];
  if (option.name === "cosine") {
    const tau = option.coefficient("tau", shapes);
    const guard = option.word("guard") === "max" ? "max" : "root";
    return { kind: "cosine", tau, eps: positive(call, option, "score"), guard };
  }
  if (option.name === "distance" && option.has("scale") && option.word("scale") === "whole_input") {
    return { kind: "distance", scale: null };
  }
  const usual: Coefficient = { kind: "constant", value: stored(1 / Math.sqrt(head)) };
  const scale = option.has("scale") ? option.coefficient("scale", shapes) : usual;
  if (option.name !== "distance") return { kind: "dot", scale };
  if (scale.kind === "constant" && !(scale.value >= 0)) {
    const found = String(scale.value);
    call.fail(
      "out-of-range",
      { argument: "scale", found, allowed: "at least 0: near keys must weigh more" },
      "score",
    );
  }
  return { kind: "distance", scale };
}

function readValues(call: Call, heads: number): ValuesConfig {
  const option = call.option("values");
  if (option.name !== "unit") return { kind: "raw" };
  return { kind: "unit", nu: option.coefficient("nu", [[], [heads]]), eps: positive(call, option, "values") };
}

/** The stored eps, which must not vanish in float32: z/√(‖z‖² + 0) has no value at 0. */
function positive(call: Call, option: OptionArgs, argument: string): number {
  const exact = option.real("eps");
  const eps = stored(toNumber(exact));
  if (compare(exact, zero) > 0 && eps > 0 && Number.isFinite(eps)) return eps;
  const allowed = "positive and storable as float32";
  call.fail("out-of-range", { argument: "eps", found: show(exact), allowed }, argument);
  return 1;
}

function readLocal(call: Call, over: RegionConfig, shape: Shape): LocalConfig | null {
  if (!call.has("local")) return null;
  const fail = (why: string): null => {
    call.fail("attend-local", { why }, "local");
    return null;
  };
  const layer = call.layerArgument("local");
  if (!layer || layer.name !== "DepthwiseConv")
    return fail(layer ? `\`${layer.name}\` is another layer` : "it is not one layer");
  const kernel = layer.int("kernel");
  if (kernel % 2 === 0) return fail(`${kernel} is even`);
  if (layer.has("stride") && layer.int("stride") !== 1) return fail("it has a stride");
  if (layer.has("padding") && layer.int("padding", 0) !== (kernel - 1) / 2)
    return fail("its padding changes the size");
  for (const other of ["init", "constraint", "dilation", "multiplier", "mode"]) {
    if (layer.has(other) && !isDefault(layer, other)) return fail(`\`${other}\` can't be given here`);
  }
  if (shape.length !== 3) return fail(`the values are ${showShape(shape)}, not a map`);
  if (over.kind === "windows" && over.shift > 0) return fail("shifted windows join pieces of opposite edges");
  return { kernel, bias: layer.has("bias") ? layer.bool("bias") : call.wantsBias() };
}

/** `has` is true for defaults as well. */
function isDefault(layer: OptionArgs, name: string): boolean {
  if (name === "mode") return layer.word("mode") === "zeros";
  return (name === "dilation" || name === "multiplier") && layer.int(name) === 1;
}
