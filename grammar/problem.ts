/** What the text part has to complain about: plain values; src/syntax/problems.ts turns them into diagnostics. */
export type Problem = { readonly start: number; readonly end: number } & (
  | { readonly kind: "bad-character"; readonly found: string; readonly instead: string | null }
  | { readonly kind: "unterminated-string" }
  | {
      readonly kind: "bad-number";
      readonly found: string;
      readonly why: string;
      readonly instead: string | null;
    }
  | {
      readonly kind: "other-language";
      readonly found: string;
      readonly why: string;
      readonly edits: readonly Edit[];
    }
  | {
      readonly kind: "not-closed";
      readonly open: string;
      readonly close: string;
      readonly at: number;
      readonly found: string;
    }
  | {
      readonly kind: "wrong-closer";
      readonly open: string;
      readonly close: string;
      readonly found: string;
      readonly at: number;
    }
  | { readonly kind: "closes-nothing"; readonly found: string }
  | { readonly kind: "comma-missing"; readonly open: string; readonly at: number }
  | { readonly kind: "too-deep"; readonly what: string; readonly limit: number }
  | {
      readonly kind: "mixed-pipe";
      readonly operator: string;
      readonly loose: readonly Edit[];
      readonly tight: readonly Edit[];
      readonly whole: { readonly start: number; readonly end: number };
    }
  | {
      readonly kind: "chained-comparison";
      readonly first: string;
      readonly second: string;
      readonly at: number;
    }
  | {
      readonly kind: "equals-in-argument";
      readonly name: string;
      readonly nameStart: number;
      readonly value: { readonly start: number; readonly end: number } | null;
    }
  | { readonly kind: "phase-missing" }
  | { readonly kind: "orphan-doc" }
  | {
      readonly kind: "unexpected-token";
      readonly found: string;
      readonly expected: string;
      readonly atEnd: boolean;
    }
);

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}
