/** What a careless user does with the commands that run a model: each is told, none is a crash. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { command, lipsc } from "./run.ts";

const spec = "test/fixtures/tiny-fashion.lips";
const scratch = (): string => mkdtempSync(join(tmpdir(), "lipsc-mistakes-"));
let finished = "";

beforeAll(async () => {
  finished = join(scratch(), "a run");
  expect(await lipsc("train", spec, "--out", finished, "--epochs", "1")).toMatchObject({
    code: 0,
    stderr: "",
  });
});

/** A copy of the finished run, to be spoilt. */
function copy(): string {
  const folder = join(scratch(), "copy");
  cpSync(finished, folder, { recursive: true });
  return folder;
}

function edit(folder: string, change: (config: Record<string, unknown>) => void): void {
  const path = join(folder, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  change(config);
  writeFileSync(path, JSON.stringify(config));
}

async function refused(code: string, ...args: string[]): Promise<string> {
  const { code: exit, stderr } = await lipsc(...args);
  expect(stderr).toContain(`error[${code}]`);
  expect(stderr).not.toMatch(/\n {4}at /);
  expect(exit).toBe(1);
  return stderr;
}

describe("two runs are never mixed", () => {
  it("in one folder (run-exists)", async () => {
    const before = readFileSync(join(finished, "config.json"));
    expect(await refused("LIPS0618", "train", spec, "--out", finished)).toContain("--resume");
    expect(readFileSync(join(finished, "config.json")).equals(before)).toBe(true);
  });

  it.each([
    ["--set", "dim=8"],
    ["--out", "elsewhere"],
    ["--engine", "reference"],
    ["--device", "webgpu"],
    ["--seed", "9"],
  ])("on resume, by %s %s", async (option, value) => {
    expect(await refused("LIPS0612", "train", "--resume", finished, option, value)).toContain(option);
  });

  it("on resume, by a changed spec or other data, even before the first checkpoint (run-changed)", async () => {
    const folder = copy();
    rmSync(join(folder, "checkpoint.safetensors"));
    const changed = join(folder, "spec.lips");
    writeFileSync(changed, readFileSync(spec, "utf8").replace("dim: int = 16", "dim: int = 12"));
    expect(await refused("LIPS0619", "train", "--resume", folder, changed)).toContain("was changed");
    edit(folder, (config) => (config.samples = 60_000));
    expect(await refused("LIPS0619", "train", "--resume", folder)).toContain("60000");
  });
});

describe("the disk", () => {
  it("that refuses is told (file-refused)", async () => {
    const file = join(scratch(), "file");
    writeFileSync(file, "");
    await refused("LIPS0614", "train", spec, "--out", file);
    // Before anything is said of a run that can't be.
    const below = await lipsc("train", spec, "--out", join(file, "run"));
    expect(below).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("LIPS0614") });
    await refused("LIPS0614", "build", spec, "--out", join(file, "below"));
    const folder = copy();
    rmSync(join(folder, "metrics.jsonl"));
    mkdirSync(join(folder, "metrics.jsonl"));
    await refused("LIPS0614", "train", "--resume", folder);
    expect(await refused("LIPS0108", "check", folder)).toContain("it is a folder");
  });

  it("holds no folder of a run that could not begin", async () => {
    const folder = join(scratch(), "run");
    await refused("LIPS0611", "train", spec, "--out", folder, "--batch", "6000");
    await refused("LIPS0612", "train", spec, "--out", folder, "--set", "train.augment=[crop(20)]");
    await refused("LIPS0710", "train", spec, "--out", folder, "--set", "train.loss=mse");
    expect(existsSync(folder)).toBe(false);
  });
});

describe("damaged runs", () => {
  it("name the file", async () => {
    const folder = copy();
    writeFileSync(
      join(folder, "model.safetensors"),
      readFileSync(join(folder, "model.safetensors")).subarray(0, 900),
    );
    expect(await refused("LIPS0602", "eval", folder)).toContain("model.safetensors");
    writeFileSync(join(folder, "config.json"), "{}");
    expect(await refused("LIPS0602", "train", "--resume", folder)).toContain("config.json");
    await refused("LIPS0601", "eval", join(folder, "none"));
    rmSync(join(folder, "config.json"));
    for (const command of ["eval", "certify", "audit"])
      expect(await refused("LIPS0624", command, folder)).toContain("lipsc train SPEC");
    expect(await refused("LIPS0624", "train", "--resume", spec)).toContain("not the folder of a run");
  });

  it("without weights say how to go on", async () => {
    const folder = copy();
    for (const name of ["model", "checkpoint"]) rmSync(join(folder, `${name}.safetensors`));
    expect(await refused("LIPS0625", "eval", folder)).toContain(`--resume ${folder}`);
  });

  it("with a weight that is no number are refused", async () => {
    const folder = copy();
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    bytes.writeFloatLE(NaN, bytes.length - 4);
    writeFileSync(path, bytes);
    expect(await refused("LIPS0608", "eval", folder)).toContain("not finite");
  });
});

describe("data", () => {
  it("that aren't there are told what they could be", async () => {
    const folder = scratch();
    expect(await refused("LIPS0626", "train", spec, "--data", folder)).toContain("train/<class>/*.png");
    expect(await refused("LIPS0626", "train", spec, "--data", "README.md")).toContain(".safetensors");
    expect(await refused("LIPS0626", "eval", finished, "--weights", "README.md")).toContain(".safetensors");
  });
});

describe("a certificate that isn't there", () => {
  it("is told in plain words, in one line each", async () => {
    for (const [file, why] of [
      ["nowhere.json", "there is none"],
      ["docs", "it is a folder"],
      ["README.md", "it is no JSON"],
    ]) {
      const { code, stdout } = await lipsc("verify", file);
      expect(code).toBe(1);
      expect(stdout).toContain(why);
      expect(stdout.trimEnd().split("\n")).toHaveLength(4);
    }
  });
});

describe("a model that this machine can't hold", () => {
  it("is refused before it is tried (too-large-to-run)", async () => {
    await refused("LIPS0617", "train", spec, "--batch", "1000000000", "--out", join(scratch(), "run"));
    const large = join(scratch(), "large.lips");
    writeFileSync(large, "lips 1\nmodel L {\n  input x: [8]\n  output y = x |> Linear(1e9)\n}\n");
    await refused("LIPS0617", "build", large, "--out", join(scratch(), "build"));
  });
});

describe("predict", () => {
  it("goes on past files that are no images, and says which they were", async () => {
    const folder = scratch();
    const [cut, none] = [join(folder, "cut.png"), join(folder, "none.png")];
    writeFileSync(cut, Buffer.from("89504e470d0a1a0a", "hex"));
    const done = await lipsc("predict", finished, cut, none, folder, "README.md");
    expect(done.code).toBe(1);
    for (const code of ["LIPS0602", "LIPS0626", "LIPS0601", "LIPS0614"]) expect(done.stderr).toContain(code);
    expect(done.stdout).toMatch(/engine {3}onnxruntime/);
  });
});

describe("wrong usage", () => {
  it.each([
    ["train"],
    ["train", spec, "--threads", "100000"],
    ["train", spec, "--lr", "nan"],
    ["train", spec, "--seed", "1e9"],
    ["predict", "run", "image.png", "--top", "0"],
    ["eval", "run", "--format", "xml"],
    ["build", spec],
    ["check", spec, "--set", "dim"],
    ["check", spec, "--model", "TinyFashion"],
    ["nothing"],
  ])("lipsc %s %s %s %s is exit code 2", async (...args) => {
    const { code, stdout, stderr } = await lipsc(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: /);
    // An option's mistake is told with the way to that command's options.
    if (args.length > 2 && stderr.includes("(lipsc")) expect(stderr).toContain(`(lipsc ${args[0]} --help`);
  });
});

it("a reader that goes away doesn't change the exit code", async () => {
  const { execFileSync } = await import("node:child_process");
  const shell = `"${process.execPath}" "${command}" check test/golden/diagnostics/LIPS0403-claim-fails.lips --format json | head -c 1 > /dev/null; echo \${PIPESTATUS[0]}`;
  expect(execFileSync("bash", ["-c", shell], { encoding: "utf8" }).trim()).toBe("1");
});
