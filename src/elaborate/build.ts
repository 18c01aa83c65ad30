/** The model in the making: values, nodes, weights. */
import type {
  BlockInstance,
  Claim,
  Constraint,
  Inference,
  Init,
  ModelInput,
  ModelOutput,
  Node,
  Shape,
  Solve,
  Value,
  ValueId,
  Weight,
  WeightId,
} from "../model/model.ts";
import type { Span } from "../text/source.ts";
import type { SharedStore } from "./values.ts";

/** An application of a `shared` layer that is running: weights come from its store, in order. */
export interface Sharing {
  readonly store: SharedStore;
  readonly outer: Sharing | null;
  next: number;
}

export interface WeightPlan {
  readonly path: string;
  readonly shape: Shape;
  readonly role: Weight["role"];
  readonly init: Init;
  readonly constraint: Constraint;
  readonly range: readonly [number, number] | null;
  readonly span: Span;
}

export class ModelBuilder {
  readonly values: Value[] = [];
  readonly weights: Weight[] = [];
  readonly inputs: ModelInput[] = [];
  readonly outputs: ModelOutput[] = [];
  readonly claims: Claim[] = [];
  readonly instances: BlockInstance[] = [];
  readonly taps: { name: string; value: ValueId }[] = [];
  /** Paths of nodes that are taken. */
  readonly paths = new Set<string>();
  /** `solve(in: [low, high])`, where the model has one. */
  solve: Solve | null = null;
  /** `inference { … }`, where the model has one. */
  inference: Inference | null = null;
  /** Where nodes go: the model's own list, or that of a step that is being made. */
  private list: Node[] = [];
  private readonly weightPaths = new Set<string>();

  get nodes(): readonly Node[] {
    return this.list;
  }

  addValue(shape: Shape, span: Span, axes?: readonly (string | null)[]): ValueId {
    this.values.push({ shape, axes: axes ?? shape.map(() => null), span });
    return this.values.length - 1;
  }

  addNode(node: Node): void {
    this.list.push(node);
  }

  /** Gathers the nodes that `make` adds. */
  gather<T>(make: () => T): { made: T; nodes: readonly Node[] } {
    const outside = this.list;
    const nodes: Node[] = [];
    this.list = nodes;
    const made = make();
    this.list = outside;
    return { made, nodes };
  }

  /** A new weight, or the one that a shared layer made at its first application; null where shapes differ from then. */
  weight(plan: WeightPlan, sharing: Sharing | null): WeightId | null {
    if (!sharing) return this.addWeight(plan);
    const at = sharing.next++;
    if (at < sharing.store.weights.length) {
      const known = this.weights[sharing.store.weights[at]];
      const same = known.role === plan.role && sameShape(known.shape, plan.shape);
      return same ? sharing.store.weights[at] : null;
    }
    const id = this.weight(plan, sharing.outer);
    if (id !== null) sharing.store.weights.push(id);
    return id;
  }

  private addWeight(plan: WeightPlan): WeightId {
    let path = plan.path;
    for (let use = 2; this.weightPaths.has(path); use++) path = `${plan.path}_${use}`;
    this.weightPaths.add(path);
    this.weights.push({ ...plan, path });
    return this.weights.length - 1;
  }
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}
