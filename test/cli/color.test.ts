/** Colours and live lines: only where a terminal knows them, and never against what the user says. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { wantsColor } from "../../src/cli/print.ts";
import { isLive } from "../../src/runtime/progress.ts";
import { lipsc } from "./run.ts";

const terminal = { isTTY: true };
afterEach(() => vi.unstubAllEnvs());

describe("a terminal", () => {
  it("that is dumb gets plain lines without colours, like a pipe", () => {
    vi.stubEnv("NO_COLOR", "");
    vi.stubEnv("TERM", "xterm-256color");
    expect([isLive(terminal), wantsColor(terminal)]).toEqual([true, true]);
    expect([isLive({}), wantsColor({})]).toEqual([false, false]);
    vi.stubEnv("TERM", "dumb");
    expect([isLive(terminal), wantsColor(terminal)]).toEqual([false, false]);
  });
});

it.each([
  "check",
  "solve",
  "train",
  "eval",
  "predict",
  "certify",
  "audit",
  "build",
  "convert",
  "verify",
  "write-out",
])("lipsc %s takes --no-color", async (command) => {
  expect((await lipsc(command, "--help")).stdout).toContain("--no-color");
});
