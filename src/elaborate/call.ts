/** What a built-in layer's shape rule sees: its arguments, its tensors, and the making of weights. */
import type { DiagnosticName, ParamsOf } from "../diagnostics/table.ts";
import type {
  Call,
  Layer,
  Operand,
  OptionArgs,
  ParamSignature,
  StepBody,
  WeightRequest,
} from "../layers/layer.ts";
import type { Coefficient, Constraint, Init, Shape, Weight } from "../model/model.ts";
import { apply, mostEntries } from "./apply.ts";
import { evaluate } from "./expression.ts";
import { report, type Frame } from "./frame.ts";
import { policyOf } from "./instance.ts";
import { learnedWeight } from "./learned.ts";
import { constraintOf, initOf, parseDefault } from "./options.ts";
import { OptionReader, Reader } from "./reader.ts";
import { declare, newScope } from "./scope.ts";
import { makeStep } from "./step.ts";
import { coerce, showType, typeOfParam } from "./types.ts";
import { showShape, type Given, type LayerVal, type OptionVal, type TensorVal } from "./values.ts";

/** Roles that the policy's initialiser and constraint are for. */
const main: ReadonlySet<Weight["role"]> = new Set(["matrix", "kernel", "depthwise", "table"] as const);

export function operandOf(tensor: TensorVal): Operand {
  const { value, shape, tokens } = tensor;
  return tokens === undefined ? { value, shape } : { value, shape, tokens };
}

export function tensorOf(operand: Operand): TensorVal {
  return { kind: "tensor", ...operand };
}

export class LayerCall extends Reader implements Call {
  readonly inputs: readonly Operand[];
  private readonly layer: LayerVal;
  private readonly definition: Layer;
  private readonly path: string;
  private readonly defaults = new Map<string, Given | undefined>();

  constructor(frame: Frame, layer: LayerVal, definition: Layer, path: string, inputs: readonly TensorVal[]) {
    super(frame, layer.span);
    this.layer = layer;
    this.definition = definition;
    this.path = path;
    this.inputs = inputs.map(operandOf);
  }

  protected get title(): string {
    return this.definition.name;
  }

  protected find(name: string): Given | undefined {
    const given = this.layer.args.get(name);
    if (given) return given;
    if (!this.defaults.has(name)) {
      this.defaults.set(name, undefined);
      this.defaults.set(name, this.defaultOf(this.definition.signature.params.find((p) => p.name === name)));
    }
    return this.defaults.get(name);
  }

  /** Defaults may name other parameters: `(kernel - 1) / 2`. */
  private defaultOf(param: ParamSignature | undefined): Given | undefined {
    if (param?.default === undefined) return undefined;
    const scope = newScope(null, "constants");
    const e = parseDefault(param.default);
    if (e.kind !== "number" && e.kind !== "boolean" && e.kind !== "name") {
      for (const { name } of this.definition.signature.params) {
        const value = name === param.name ? undefined : this.find(name);
        if (value) declare(scope, name, value.value, value.span, "parameter");
      }
    }
    const value = evaluate({ ...this.frame, scope }, e, typeOfParam(param));
    const type = typeOfParam(param);
    return { value: coerce(this.frame, value, type, param.name, this.at), span: this.at };
  }

  /** Whether every required argument is given; reports the first that isn't. */
  checkRequired(): boolean {
    for (const param of this.definition.signature.params) {
      if (param.optional || param.default !== undefined || this.layer.args.has(param.name)) continue;
      const type = showType(typeOfParam(param));
      report(this.frame, "missing-argument", this.at, {
        layer: this.definition.name,
        argument: param.name,
        type,
      });
      this.failWith(null);
      return false;
    }
    return true;
  }

  option(name: string): OptionArgs {
    const given = this.find(name);
    if (given?.value.kind === "option") return new OptionReader(this.frame, given.value, this.path, this);
    const none: OptionVal = { kind: "option", type: "", name: "", args: new Map(), span: this.at };
    return new OptionReader(this.frame, this.standIn(name, given, "an option", none), this.path, this);
  }

  layerArgument(name: string): OptionArgs | undefined {
    const given = this.find(name);
    if (given?.value.kind !== "layer") return this.standIn(name, given, "a layer", undefined);
    const inner = given.value;
    if (inner.target.kind !== "layer") return undefined;
    const definition = inner.target.layer;
    const reader = new LayerCall({ ...this.frame }, inner, definition, this.path, []);
    if (!reader.checkRequired()) return this.failWith(undefined);
    const args = new Map(inner.args);
    for (const param of definition.signature.params) {
      const value = reader.find(param.name);
      if (value) args.set(param.name, value);
    }
    const option: OptionVal = {
      kind: "option",
      type: "Layer",
      name: definition.name,
      args,
      span: inner.span,
    };
    return new OptionReader(this.frame, option, this.path, this);
  }

  apply(name: string, inputs: readonly Operand[]): readonly Operand[] | undefined {
    const given = this.find(name);
    if (given?.value.kind !== "layer") return this.standIn(name, given, "a layer", undefined);
    const flowing = inputs.map((input) => ({ value: tensorOf(input), span: given.span }));
    const outputs = apply({ ...this.frame, depth: this.frame.depth + 1 }, given.value, flowing);
    return outputs ? outputs.map(operandOf) : this.failWith(undefined);
  }

  step(name: string, shapes: readonly (Shape | null)[]): StepBody | undefined {
    const given = this.find(name);
    if (given?.value.kind !== "layer") return this.standIn(name, given, "a layer", undefined);
    const inner = { ...this.frame, depth: this.frame.depth + 1 };
    return makeStep(inner, given.value, shapes, given.span) ?? this.failWith(undefined);
  }

  weight(name: string, request: WeightRequest): number {
    const { model } = this.frame;
    if (!model) return this.failWith(0);
    const { shape, role, range = null } = request;
    if (shape.reduce((a, b) => a * b, 1) > mostEntries) {
      report(this.frame, "bad-shape", this.at, { layer: this.definition.name, found: showShape(shape) });
      return this.failWith(0);
    }
    const constraint = request.constraint ?? ofMap(this.constraintOf(role), request);
    const init = request.init ?? this.initOf(role, constraint);
    if (!init || !constraint) return this.failWith(0);
    const plan = { path: `${this.path}.${name}`, shape, role, init, constraint, range, span: this.at };
    const id = model.weight(plan, this.frame.sharing);
    if (id !== null) return id;
    report(this.frame, "shared-shape", this.at, {
      first: "other shapes",
      now: `${name} ${showShape(shape)}`,
    });
    return this.failWith(0);
  }

  private initOf(role: Weight["role"], constraint: Constraint | null): Init | null {
    if (role === "bias") return { kind: "zeros" };
    if (!main.has(role)) return { kind: "ones" };
    const own = this.layer.args.get("init");
    if (own?.value.kind === "option") return initOf(this.frame, own.value);
    // Retraction needs a start that isn't far from orthogonal.
    const start = constraint?.kind === "orthogonal" ? "orthogonal" : "xavier";
    return policyOf(this.frame.instance, "init") ?? { kind: start };
  }

  private constraintOf(role: Weight["role"]): Constraint | null {
    if (!main.has(role)) return { kind: "none" };
    const own = this.layer.args.get("constraint");
    if (own?.value.kind === "option") return constraintOf(this.frame, own.value);
    return policyOf(this.frame.instance, "constraint") ?? { kind: "none" };
  }

  scales(channels: number): number {
    const shape = [channels];
    const own = this.layer.args.get("gamma");
    const learned = own ? own.value : policyOf(this.frame.instance, "gamma");
    if (!learned) return this.weight("gamma", { shape, role: "vector", init: { kind: "ones" } });
    if (learned.kind !== "learned") return this.standIn("gamma", own, "learned(…)", 0);
    return learnedWeight(this.frame, learned, `${this.path}.gamma`, [shape], "vector") ?? this.failWith(0);
  }

  wantsBias(): boolean {
    const own = this.layer.args.get("bias");
    if (own?.value.kind === "boolean") return own.value.value;
    return policyOf(this.frame.instance, "bias") ?? true;
  }

  coefficient(
    name: string,
    shapes: readonly Shape[],
    rounding: "nearest" | "toward-zero" = "nearest",
  ): Coefficient {
    return this.readCoefficient(name, `${this.path}.${name}`, shapes, rounding);
  }

  fail<N extends DiagnosticName>(name: N, params: ParamsOf<N>, argument?: string, help?: string): void {
    const span = (argument === undefined ? undefined : this.layer.args.get(argument)?.span) ?? this.at;
    report(this.frame, name, span, params, help === undefined ? {} : { help });
    this.failed = true;
  }
}

/** What a constraint is on a weight that acts on overlapping windows: see WeightRequest. */
function ofMap(constraint: Constraint | null, { role, overlapping }: WeightRequest): Constraint | null {
  if (constraint?.kind !== "spectral" || !overlapping) return constraint;
  if (role !== "kernel" && role !== "depthwise") return constraint;
  return { kind: role === "kernel" ? "operator" : "l1", bound: constraint.bound };
}
