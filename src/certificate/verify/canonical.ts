/** One text for one JSON value: keys sorted, no white space, numbers as ECMAScript writes them (RFC 8785's idea). */
import { createHash } from "node:crypto";

export function canonical(x: unknown): string {
  if (Array.isArray(x)) return `[${x.map(canonical).join(",")}]`;
  if (typeof x === "object" && x !== null) {
    const entries = Object.entries(x).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${canonical(value)}`).join(",")}}`;
  }
  return JSON.stringify(x);
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** SHA-256 of the whole document but its seal. */
export function sealOf(document: object): string {
  const { seal: _, ...rest } = document as { seal?: unknown };
  return sha256(canonical(rest));
}
