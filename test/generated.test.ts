import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { generate } from "../src/cli/generate.ts";

it("generated/ is what the compiler makes now (npm run generate)", async () => {
  for (const [path, text] of await generate()) expect(readFileSync(path, "utf8") === text, path).toBe(true);
});
