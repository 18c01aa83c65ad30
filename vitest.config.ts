import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["test/build-command.ts"],
    include: ["test/**/*.test.ts"],
    // By itself vitest leaves a core free, which is half of the machine where there are two.
    maxWorkers: "100%",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
