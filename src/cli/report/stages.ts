/** The stages of a model for people: runs of nodes under one name, loops and repeated runs of stages folded. */
import type { Model, Node, Shape } from "../../model/model.ts";
import { roundOf } from "../../model/stretches.ts";
import { macsOf, parametersIn } from "./figures.ts";

export interface Stage {
  readonly name: string;
  /** Rounds of a loop, or applications in a row, that give the same shape. */
  readonly count: number;
  /** `┌`, `│` and `└` beside stages that come again together, in this order; else empty. */
  readonly mark: string;
  /** Shape of the last value. */
  readonly shape: Shape;
  readonly parameters: number;
  readonly macs: number;
}

/**
 * Neighbouring nodes are one stage when their paths begin with the same name (`lips_block.2.0.attention` belongs to
 * `lips_block`); a stage ends where its rounds begin to give another shape.
 */
export function stagesOf(model: Model): readonly Stage[] {
  const rounds: { key: string; name: string; nodes: Node[] }[] = [];
  for (const node of model.nodes) {
    if (node.inputs.length === 0) continue;
    const key = roundOf(node.path);
    const last = rounds.at(-1);
    if (last && last.key === key) last.nodes.push(node);
    else rounds.push({ key, name: nameOf(node.path), nodes: [node] });
  }
  const stages: Mutable[] = [];
  const counted = new Set<number>();
  for (const round of rounds) {
    const shape = model.values[round.nodes.at(-1)?.outputs[0] ?? 0].shape;
    let parameters = 0;
    let macs = 0;
    for (const node of round.nodes) {
      parameters += parametersOf(model, node, counted);
      macs += macsOf(model, node);
    }
    const last = stages.at(-1);
    if (last && last.name === round.name && last.shape.join() === shape.join()) {
      last.count++;
      last.parameters += parameters;
      last.macs += macs;
    } else {
      stages.push({ name: round.name, count: 1, mark: "", shape, parameters, macs });
    }
  }
  return foldRepeats(stages);
}

type Mutable = { -readonly [K in keyof Stage]: Stage[K] };

/** Longest run of stages that is looked for a second time. */
const longestRun = 12;

/** Runs of stages that follow one another again and again (the body of a loop) are shown once, with sums over all. */
function foldRepeats(stages: readonly Stage[]): Stage[] {
  const folded: Stage[] = [];
  let at = 0;
  while (at < stages.length) {
    const { length, times } = repeatAt(stages, at);
    for (let i = 0; i < length; i++) {
      const all = Array.from({ length: times }, (_, round) => stages[at + round * length + i]);
      const sum = (pick: (stage: Stage) => number): number =>
        all.reduce((total, stage) => total + pick(stage), 0);
      folded.push({
        ...all[0],
        count: sum((stage) => stage.count),
        mark: times === 1 ? "" : i === 0 ? "┌" : i === length - 1 ? "└" : "│",
        parameters: sum((stage) => stage.parameters),
        macs: sum((stage) => stage.macs),
      });
    }
    at += length * times;
  }
  return folded;
}

/** The run of at least two stages from `at` that covers most by coming again; one stage once where none does. */
function repeatAt(stages: readonly Stage[], at: number): { length: number; times: number } {
  const alike = (i: number, j: number): boolean =>
    j < stages.length &&
    stages[i].name === stages[j].name &&
    stages[i].count === stages[j].count &&
    stages[i].shape.join() === stages[j].shape.join();
  let best = { length: 1, times: 1 };
  for (let length = 2; length <= longestRun; length++) {
    let end = at + length;
    while (alike(end - length, end)) end++;
    const times = Math.floor((end - at) / length);
    if (times > 1 && times * length > best.times * best.length) best = { length, times };
  }
  return best;
}

/** Weights are counted where they are first used. */
function parametersOf(model: Model, node: Node, counted: Set<number>): number {
  let sum = 0;
  for (const id of Object.values(node.weights)) {
    if (!counted.has(id)) sum += parametersIn(model.weights[id]);
    counted.add(id);
  }
  for (const inner of node.body?.nodes ?? []) sum += parametersOf(model, inner, counted);
  return sum;
}

/** Without the loop's numbers and the number of a second use. */
function nameOf(path: string): string {
  return (path.split(".")[0] ?? path).replace(/_\d+$/, "");
}
