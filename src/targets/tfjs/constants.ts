/** Constants of a program as short code: tables of offsets and places have a pattern, which is printed in their stead. */
import type { Value } from "./program.ts";

export function constantName(value: Value, taken: (name: string) => boolean): string {
  const stem = value.dtype === "i32" ? "indices" : "table";
  for (let i = 1; ; i++) if (!taken(i === 1 ? stem : `${stem}${i}`)) return i === 1 ? stem : `${stem}${i}`;
}
