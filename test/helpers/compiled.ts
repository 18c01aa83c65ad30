/** Files of the sources as test/build-command.ts has compiled them: worker threads can't run TypeScript. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

export const compiledWorker = pathToFileURL(
  resolve("node_modules/.cache/lipsc-test/dist/src/runtime/workers/worker.js"),
);
