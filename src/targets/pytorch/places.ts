/**
 * Places: the applications of blocks as a tree, and which of them become classes. A place whose nodes can't be called
 * as one function (they need a value that is made of their own results, or a module of elsewhere) is dissolved: its
 * nodes are written in the forward pass of the place around it, under the same names.
 */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import { allNodes } from "../../model/legality.ts";
import type { BlockInstance, Model, Node, ValueId } from "../../model/model.ts";

export interface Place {
  /** "" for the model itself. */
  readonly path: string;
  /** null for the model itself. */
  readonly block: BlockInstance | null;
  readonly parent: Place | null;
  dissolved: boolean;
  /** A place of the same block whose modules this one uses: `shared(…)`. */
  alias: Place | null;
}

/** What stands in one forward pass: nodes of the place itself, and calls of places inside of it. */
export type Item =
  | { readonly kind: "node"; readonly node: Node }
  | { readonly kind: "call"; readonly place: Place; readonly nodes: readonly Node[] };

export class Places {
  readonly root: Place = { path: "", block: null, parent: null, dissolved: false, alias: null };
  /** For nodes that use the weights of another node: that one. */
  readonly aliases = new Map<Node, Node>();
  private readonly byPath = new Map<string, Place>([["", this.root]]);

  constructor(model: Model) {
    // Shorter paths first, so that parents are there before their children.
    const sorted = [...model.instances].sort((a, b) => a.path.length - b.path.length);
    for (const block of sorted) {
      const parent = this.around(block.path);
      this.byPath.set(block.path, { path: block.path, block, parent, dissolved: false, alias: null });
    }
  }

  /** The place whose body names a node or place of this path. */
  private around(path: string): Place {
    for (let end = path.lastIndexOf("."); end >= 0; end = path.lastIndexOf(".", end - 1)) {
      const place = this.byPath.get(path.slice(0, end));
      if (place) return place;
    }
    return this.root;
  }

  at(path: string): Place | undefined {
    return this.byPath.get(path);
  }

  /** Where a node is written. */
  home(node: Node): Place {
    let place = this.around(node.path);
    while (place.dissolved && place.parent) place = place.parent;
    return place;
  }

  parent(place: Place): Place | null {
    let up = place.parent;
    while (up?.dissolved && up.parent) up = up.parent;
    return up;
  }

  /** Nodes of one list, as what stands in the forward pass of `at`, in an order in which it can be computed. */
  itemsOf(at: Place, nodes: readonly Node[]): Item[] | Place {
    const groups = new Map<Place, Node[]>();
    const items: { item: Item; reads: Set<ValueId>; makes: Set<ValueId> }[] = [];
    for (const node of nodes) {
      let place: Place = this.home(node);
      if (place === at) {
        items.push({
          item: { kind: "node", node },
          reads: new Set(node.inputs),
          makes: new Set(node.outputs),
        });
        continue;
      }
      for (let up = this.parent(place); up && up !== at; up = this.parent(place)) place = up;
      const group = groups.get(place);
      if (group) group.push(node);
      else groups.set(place, [node]);
    }
    for (const [place, group] of groups) {
      const makes = new Set(group.flatMap((n) => n.outputs));
      const reads = new Set(group.flatMap((n) => n.inputs).filter((v) => !makes.has(v)));
      items.push({ item: { kind: "call", place, nodes: group }, reads, makes });
    }
    // In the nodes' own order, a call where its last node stands, as far as that can be computed.
    const order = new Map(nodes.map((node, i) => [node, i]));
    const rank = ({ item }: { item: Item }): number =>
      order.get(item.kind === "node" ? item.node : item.nodes[item.nodes.length - 1]) ?? 0;
    items.sort((a, b) => rank(a) - rank(b));
    const made = new Set(items.flatMap(({ makes }) => [...makes]));
    const done: Item[] = [];
    while (items.length > 0) {
      const next = items.findIndex(({ reads }) => ![...reads].some((v) => made.has(v)));
      if (next < 0) {
        const stuck = items.find(({ item }) => item.kind === "call")?.item;
        if (stuck?.kind !== "call") throw new Error("nodes that depend on each other");
        return stuck.place;
      }
      const [{ item, makes }] = items.splice(next, 1);
      done.push(item);
      for (const v of makes) made.delete(v);
    }
    return done;
  }
}

/** The places of a model; a diagnostic where weights are shared in a way that has no form in PyTorch yet. */
export function placesOf(model: Model): Result<Places> {
  const places = new Places(model);
  const shared = findAliases(model, places);
  if (!shared.ok) return shared;
  keepBodiesInside(model.nodes, places);
  aliasPlaces(model, places);
  while (dissolveOne(model, places));
  return good(places);
}

function findAliases(model: Model, places: Places): Result<void> {
  const byPath = new Map([...allNodes(model.nodes)].map((node) => [node.path, node]));
  for (const node of byPath.values()) {
    const entries = Object.entries(node.weights);
    const foreign = entries.filter(([name, id]) => model.weights[id].path !== `${node.path}.${name}`);
    if (foreign.length === 0) continue;
    const [[name, id]] = foreign;
    const { path } = model.weights[id];
    const owner = path.endsWith(`.${name}`) ? byPath.get(path.slice(0, -name.length - 1)) : undefined;
    const same =
      owner?.layer === node.layer &&
      JSON.stringify([owner.config, owner.weights]) === JSON.stringify([node.config, node.weights]);
    if (!owner || !same) {
      const what = `\`${node.layer}\` (${node.path}), which uses \`${path}\` of another layer,`;
      const reason = "only a whole layer or block can be shared there";
      return bad(diagnostic("target-refused", node.span, { what, target: "PyTorch", reason }));
    }
    places.aliases.set(node, owner);
  }
  return good(undefined);
}

/** A step is written where its recurrence is: its nodes must have their names inside of that place. */
function keepBodiesInside(nodes: readonly Node[], places: Places): void {
  for (const node of nodes) {
    if (!node.body) continue;
    for (const inner of allNodes(node.body.nodes)) {
      for (let home = places.home(node); !isInside(inner.path, home); home = places.home(node))
        home.dissolved = true;
    }
    keepBodiesInside(node.body.nodes, places);
  }
}

export function isInside(path: string, place: Place): boolean {
  return place.path === "" || path.startsWith(`${place.path}.`);
}

/** Whole blocks that are shared; other aliases stay single nodes. */
function aliasPlaces(model: Model, places: Places): void {
  const withWeights = [...allNodes(model.nodes)].filter((n) => Object.keys(n.weights).length > 0);
  for (const { path } of model.instances) {
    const place = places.at(path);
    if (!place) continue;
    const inside = withWeights.filter((node) => isInside(node.path, place));
    const origins = new Set(
      inside.map((node) => {
        const owner = places.aliases.get(node);
        const rest = node.path.slice(path.length);
        return owner?.path.endsWith(rest) ? owner.path.slice(0, -rest.length) : null;
      }),
    );
    const [origin] = origins;
    const target = origins.size === 1 && typeof origin === "string" ? places.at(origin) : undefined;
    if (target && target.block?.block === place.block?.block) place.alias = target;
  }
}

/** Dissolves one place that must be, if there is one. */
function dissolveOne(model: Model, places: Places): boolean {
  const dissolve = (place: Place): true => {
    if (place.path === "") throw new Error("the model itself can't be dissolved");
    place.dissolved = true;
    place.alias = null;
    return true;
  };
  // What a place borrows must be reachable from the place that calls it.
  for (const { path } of model.instances) {
    const place = places.at(path);
    if (!place?.alias || place.dissolved) continue;
    const around = places.parent(place);
    if (around && !isInside(place.alias.path, around)) return dissolve(around);
  }
  for (const [node, owner] of places.aliases) {
    let home: Place | null = places.home(node);
    if (isInside(owner.path, home)) continue;
    let covered = false;
    for (let up: Place | null = home; up; up = places.parent(up)) covered ||= up.alias !== null;
    if (!covered) return dissolve(home);
    home = null;
  }
  const visit = (at: Place, nodes: readonly Node[]): Place | null => {
    const items = places.itemsOf(at, nodes);
    if (!Array.isArray(items)) return items;
    for (const item of items) {
      const stuck =
        item.kind === "call"
          ? visit(item.place, item.nodes)
          : item.node.body && visit(at, item.node.body.nodes);
      if (stuck) return stuck;
    }
    return null;
  };
  const stuck = visit(places.root, model.nodes);
  return stuck ? dissolve(stuck) : false;
}
