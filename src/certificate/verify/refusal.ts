/** Why a certificate is refused: thrown where it is found, told at the top. */
export class Refusal extends Error {
  /** Where in the certificate: `proofs[0].ranges[12].l2`, or a node's path. */
  readonly where: string;
  readonly rule: string | null;
  readonly stated: string | null;
  readonly derived: string | null;

  constructor(where: string, text: string, more: { rule?: string; stated?: string; derived?: string } = {}) {
    super(text);
    this.where = where;
    this.rule = more.rule ?? null;
    this.stated = more.stated ?? null;
    this.derived = more.derived ?? null;
  }
}
