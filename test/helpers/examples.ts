/** All spec files that must always be readable: the examples and the standard library. */
import { readdirSync, readFileSync } from "node:fs";
import type { SourceFile } from "../../src/text/source.ts";

export const exampleSources: readonly SourceFile[] = ["test/fixtures/examples", "src/std"].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".lips"))
    .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(`${folder}/${name}`, "utf8") })),
);
