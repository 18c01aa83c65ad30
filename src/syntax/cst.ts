/** Reading the parser's concrete tree: children by rule or token name. */
import type { CstElement, CstNode } from "../../grammar/chevrotain.ts";
import type { Token } from "../../grammar/tokens.ts";
import type { Operator } from "./tree.ts";

export function operatorOf(found: Token): Operator {
  return { image: found.image, start: found.startOffset, end: found.endOffset + 1 };
}

export function isNode(element: CstElement | undefined): element is CstNode {
  return element !== undefined && "children" in element;
}
export function nodes(node: CstNode, rule: string): CstNode[] {
  return (node.children[rule] ?? []) as CstNode[];
}
export function child(node: CstNode, rule: string): CstNode | undefined {
  return nodes(node, rule)[0];
}
export function tokens(node: CstNode, name: string): Token[] {
  return (node.children[name] ?? []) as Token[];
}
export function token(node: CstNode, name: string): Token | undefined {
  return tokens(node, name)[0];
}
