/** The abstract syntax tree: what was written, as plain data with spans. No meaning is attached here. */
import type { Span } from "../text/source.ts";

/** Where a name was missing in the text (and has been reported), `text` is empty: it raises no second error. */
export interface Name {
  readonly text: string;
  readonly span: Span;
}

export interface File {
  /** `lips 1` as first line; null where it is left out. */
  readonly edition: { readonly number: string; readonly span: Span } | null;
  readonly items: readonly Item[];
  /** All comments in order, docs too: the printer puts them back. */
  readonly comments: readonly Comment[];
  readonly span: Span;
}

export interface Comment {
  /** With its `//` or `///`. */
  readonly text: string;
  readonly doc: boolean;
  readonly span: Span;
}

export type Item = Import | Let | Block | ModelItem | Train;

export interface Import {
  readonly kind: "import";
  readonly names: readonly { readonly name: Name; readonly as: Name | null }[];
  readonly from: { readonly text: string; readonly span: Span };
  readonly span: Span;
}

export interface Block {
  readonly kind: "block";
  readonly doc: string | null;
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result: Type;
  readonly body: Body;
  readonly span: Span;
}

export interface ModelItem {
  readonly kind: "model";
  readonly doc: string | null;
  readonly name: Name;
  readonly params: readonly Param[];
  /** `model B = A(…)`: the base; then `body` may hold claims only. */
  readonly base: Expr | null;
  readonly body: Body | null;
  readonly span: Span;
}

export interface Train {
  readonly kind: "train";
  readonly doc: string | null;
  readonly model: Name;
  readonly args: readonly Arg[];
  readonly entries: readonly Entry[];
  readonly span: Span;
}

export interface Param {
  readonly doc: string | null;
  readonly name: Name;
  readonly type: Type;
  readonly default: Expr | null;
  readonly span: Span;
}

export type Type =
  | { readonly kind: "shape"; readonly dims: readonly Dim[]; readonly span: Span }
  | { readonly kind: "named"; readonly name: Name; readonly list: boolean; readonly span: Span };

export type Dim =
  | { readonly kind: "rest"; readonly span: Span }
  | { readonly kind: "dim"; readonly value: Expr; readonly span: Span };

export interface Body {
  readonly statements: readonly Statement[];
  readonly span: Span;
}

export type Statement = Let | For | If | Weights | Inference | Certify | Input | Output | Assign | Value;

export interface Let {
  readonly kind: "let";
  readonly doc: string | null;
  /** One name, or a list pattern `let [q, k, v] = …`. */
  readonly pattern:
    | { readonly kind: "name"; readonly name: Name }
    | { readonly kind: "list"; readonly names: readonly Name[]; readonly span: Span };
  readonly type: Type | null;
  readonly value: Expr;
  readonly span: Span;
}
export interface For {
  readonly kind: "for";
  readonly name: Name;
  readonly over: Expr;
  readonly body: Body;
  readonly span: Span;
}
export interface If {
  readonly kind: "if";
  readonly condition: Expr;
  readonly then: Body;
  readonly otherwise: If | Body | null;
  readonly span: Span;
}
export interface Weights {
  readonly kind: "weights";
  readonly entries: readonly Entry[];
  readonly span: Span;
}
export interface Inference {
  readonly kind: "inference";
  readonly entries: readonly Entry[];
  readonly span: Span;
}
export interface Certify {
  readonly kind: "certify";
  /** `init`, `always` or `checkpoint` where right; any other name is refused later, with better words. */
  readonly phase: Name;
  readonly at: boolean;
  readonly claim: Expr;
  readonly span: Span;
}
export interface Input {
  readonly kind: "input";
  readonly name: Name;
  readonly shape: Type;
  readonly domain: Expr | null;
  readonly span: Span;
}
export interface Output {
  readonly kind: "output";
  readonly name: Name;
  readonly value: Expr;
  readonly span: Span;
}
export interface Assign {
  readonly kind: "assign";
  readonly name: Name;
  readonly value: Expr;
  readonly span: Span;
}
/** A bare expression: the block's value, or a mistake. */
export interface Value {
  readonly kind: "value";
  readonly value: Expr;
  readonly span: Span;
}

export interface Entry {
  readonly key: Name;
  readonly value: Expr;
  readonly span: Span;
}

export interface Arg {
  readonly name: Name | null;
  readonly value: Expr;
  /** The right side of an arrow `a -> b`; in claims only. */
  readonly to: Expr | null;
  readonly span: Span;
}

export type BinaryOperator =
  "^" | "*" | "/" | "%" | "+" | "-" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or";

/** `grouped`: it stood in parentheses, which its span then includes; the printer keeps them. */
export type Expr = ExprNode & { readonly grouped?: true };

export type ExprNode =
  | { readonly kind: "number"; readonly text: string; readonly span: Span }
  | { readonly kind: "string"; readonly text: string; readonly span: Span }
  | { readonly kind: "boolean"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "name"; readonly text: string; readonly span: Span }
  | { readonly kind: "list"; readonly items: readonly Expr[]; readonly span: Span }
  | { readonly kind: "call"; readonly callee: Expr; readonly args: readonly Arg[]; readonly span: Span }
  | { readonly kind: "index"; readonly list: Expr; readonly index: Expr; readonly span: Span }
  | { readonly kind: "member"; readonly object: Expr; readonly name: Name; readonly span: Span }
  | { readonly kind: "unary"; readonly operator: "-" | "not"; readonly operand: Expr; readonly span: Span }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expr;
      readonly right: Expr;
      readonly span: Span;
    }
  | { readonly kind: "pipe"; readonly left: Expr; readonly right: Expr; readonly span: Span }
  /** Stands where the text was wrong and has been reported; raises no second error. */
  | { readonly kind: "error"; readonly span: Span };
