/** One model: its parameters, its body or base, its claims, its run. */
import type { Model } from "../model/model.ts";
import type { Arg, Expr, ModelItem, Train } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { bindArguments } from "./arguments.ts";
import { nameUnknown, runBody } from "./body.ts";
import { ModelBuilder } from "./build.ts";
import { checkClaims } from "./claims.ts";
import { fileFrame } from "./constants.ts";
import { evaluate } from "./expression.ts";
import type { LoadedFile } from "./files.ts";
import { remark, report, type Frame } from "./frame.ts";
import { newInstance } from "./instance.ts";
import type { Run } from "./run.ts";
import { declare, newScope } from "./scope.ts";
import { staticParams, type Params } from "./signature.ts";
import { elaborateTrain, type Override } from "./train.ts";
import { coerce, showType } from "./types.ts";
import { unknown, type Given, type GivenArgs } from "./values.ts";
import { nearest } from "./words.ts";

export interface Overrides {
  /** Of model parameters, by name. */
  readonly parameters: ReadonlyMap<string, Override>;
  /** Of entries of `train`. */
  readonly train: ReadonlyMap<string, Override>;
}

/** undefined where the model has a mistake. */
export function elaborateModel(
  run: Run,
  file: LoadedFile,
  path: string,
  item: ModelItem,
  trains: readonly Train[],
  overrides: Overrides,
): Model | undefined {
  run.startModel();
  const model = new ModelBuilder();
  const frame: Frame = { ...fileFrame({ run }, file), model, owner: item.name.text };
  const [train, second] = trains;
  if (second) {
    const related = [{ span: train.span, message: "the first one" }];
    report(
      frame,
      "declared-twice",
      second.model.span,
      { name: `train ${item.name.text}` },
      { related, help: "one run for each model" },
    );
  }
  const args = train
    ? bindArguments(frame, paramsOfModel(frame, item), train.args, none, false, train.span)
    : none;
  const body = args && instantiate(frame, item, args.args, overrides.parameters, [item]);
  const recipes = recipesOf(file, item).map((r) => ({ train: r.train, frame: { ...frame, file: r.file } }));
  const config = recipes.length > 0 ? elaborateTrain(recipes, overrides.train) : null;
  if (!body || run.failed || run.stopped) return undefined;
  for (const { name, span, places } of run.held) {
    if (places.size > 1) remark(frame, "applied-twice", span, { name, count: places.size });
  }
  if (model.inputs.length === 0) report(frame, "nothing-comes-in", item.name.span, { name: item.name.text });
  if (model.outputs.length === 0)
    report(frame, "nothing-comes-out", item.name.span, { what: "model", name: item.name.text });
  if (run.failed) return undefined;
  return {
    lips: 1,
    name: item.name.text,
    file: path,
    inputs: model.inputs,
    outputs: model.outputs,
    values: model.values,
    nodes: model.nodes,
    weights: model.weights,
    instances: model.instances,
    taps: tapsOf(body),
    claims: model.claims,
    train: config,
    span: item.name.span,
    ...(model.inference ? { inference: model.inference } : {}),
    ...(model.solve ? { solve: model.solve } : {}),
  };
}

/** What a model's base is, where it has one that is a model. */
function baseOf(file: LoadedFile, item: ModelItem): { model: ModelItem; file: LoadedFile } | null {
  const callee = item.base?.kind === "call" ? item.base.callee : item.base;
  const found = callee?.kind === "name" ? file.names.get(callee.text) : undefined;
  return found?.kind === "model" ? found : null;
}

/** A model, its base, the base of that: from the first ancestor down. */
export function ancestry(file: LoadedFile, item: ModelItem): { model: ModelItem; file: LoadedFile }[] {
  const line: { model: ModelItem; file: LoadedFile }[] = [];
  for (let at: { model: ModelItem; file: LoadedFile } | null = { model: item, file }; at;) {
    const { model } = at;
    if (line.some((known) => known.model === model)) break;
    line.unshift(at);
    at = baseOf(at.file, model);
  }
  return line;
}

/** The `train` sections that a model's recipe is made of: those of its ancestors, then its own. */
export function recipesOf(file: LoadedFile, item: ModelItem): { train: Train; file: LoadedFile }[] {
  return ancestry(file, item).flatMap(({ model, file: home }) => {
    const train = home.trains.find((t) => t.model.text === model.name.text);
    return train ? [{ train, file: home }] : [];
  });
}

const none = { args: new Map<string, Given>(), tensors: new Map<string, Given>() };

function paramsOfModel(frame: Frame, item: ModelItem): Params {
  return { name: item.name.text, statics: staticParams(frame, item.params), tensors: [], rest: false };
}

/** Runs the body (the base's, for a variant) and gives the frame whose names claims may use; null after a report. */
function instantiate(
  frame: Frame,
  item: ModelItem,
  args: GivenArgs,
  overrides: ReadonlyMap<string, Override>,
  chain: readonly ModelItem[],
): Frame | null {
  const inside: Frame = {
    ...frame,
    scope: newScope(null, "body"),
    instance: newInstance(null, ""),
    owner: item.name.text,
  };
  const params = paramsOfModel(inside, item);
  for (const [i, param] of params.statics.entries()) {
    const { type } = param;
    const override = overrides.get(param.name);
    const fallback = item.params[i].default;
    const read = (e: Expr, span: Span, at: Frame): Given => ({
      value: type ? coerce(at, evaluate(at, e, type), type, param.name, span, true) : unknown,
      span,
    });
    const given = override
      ? read(override.value, override.span, inside)
      : (args.get(param.name) ?? (fallback && read(fallback, fallback.span, inside)));
    if (!given) {
      const at = item.params[i].span;
      report(frame, "missing-argument", at, {
        layer: item.name.text,
        argument: param.name,
        type: type ? showType(type) : "",
      });
    }
    if (given) nameUnknown(inside, given.span, param.name);
    declare(inside.scope, param.name, given?.value ?? unknown, item.params[i].name.span, "parameter");
  }
  for (const binding of inside.scope.names.values()) if (binding.value.kind === "unknown") return null;
  if (item.base) return instantiateBase(inside, item, item.base, overrides, chain);
  if (!item.body) return null;
  const body = runBody(inside, item.body, "model");
  checkClaims(inside, body, null);
  return inside;
}

function instantiateBase(
  inside: Frame,
  item: ModelItem,
  base: Expr,
  overrides: ReadonlyMap<string, Override>,
  chain: readonly ModelItem[],
): Frame | null {
  const callee = base.kind === "call" ? base.callee : base;
  const args: readonly Arg[] = base.kind === "call" ? base.args : [];
  if (callee.kind === "error") {
    inside.run.failed = true;
    return null;
  }
  const found = callee.kind === "name" ? inside.file.names.get(callee.text) : undefined;
  if (found?.kind !== "model") {
    if (callee.kind === "name" && inside.file.lost.has(callee.text)) inside.run.failed = true;
    else if (callee.kind === "name" && !found) {
      const models = [...inside.file.names].filter(([, n]) => n.kind === "model").map(([name]) => name);
      report(inside, "unknown-name", callee.span, {
        what: "model",
        name: callee.text,
        nearest: nearest(callee.text, models),
      });
    } else report(inside, "base-not-model", base.span, { name: item.name.text });
    return null;
  }
  if (chain.includes(found.model)) {
    report(inside, "constant-cycle", base.span, { name: item.name.text });
    return null;
  }
  const bound = bindArguments(
    inside,
    paramsOfModel({ ...inside, file: found.file }, found.model),
    args,
    none,
    false,
    base.span,
  );
  if (!bound) return null;
  const outside: Frame = { ...inside, file: found.file, scope: newScope(null, "body") };
  const names = instantiate(outside, found.model, bound.args, overrides, [...chain, found.model]);
  if (!names || !item.body) return names;
  for (const statement of item.body.statements) {
    if (statement.kind === "certify") continue;
    const instead = "a variant adds claims and nothing else";
    report(inside, "misplaced", statement.span, { what: "This", where: "in a variant", instead });
  }
  const claims = item.body.statements.filter((s) => s.kind === "certify");
  checkClaims({ ...inside, instance: names.instance }, { claims }, null, names);
  return names;
}

/** Inputs, outputs and `let`s of the model's own body that carry a tensor and were never rebound. */
function tapsOf(body: Frame): Model["taps"] {
  const taps: { name: string; value: number }[] = [];
  for (const [name, { value, values }] of body.scope.names) {
    if (value.kind === "tensor" && values === 1) taps.push({ name, value: value.value });
  }
  return taps;
}
