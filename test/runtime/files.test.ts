import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openData } from "../../src/runtime/data/open.ts";
import { augmentProblem } from "../../src/runtime/data/augment/augment.ts";
import { readImageFolder } from "../../src/runtime/data/images.ts";
import { makeFolder, readBytes, readFolder, tryFolder, writeWhole } from "../../src/runtime/files.ts";
import { openMetrics } from "../../src/runtime/metrics.ts";
import { prepare } from "../../src/runtime/prepare.ts";
import { adviceOn, resolveRecipe } from "../../src/runtime/run-config.ts";
import { newFolder, readRecord, runFolder } from "../../src/runtime/run-folder.ts";
import { run } from "../../src/runtime/train.ts";
import type { Engine, Session } from "../../src/runtime/engine.ts";
import { modelOf } from "../elaborate/host.ts";

const scratch = (): string => mkdtempSync(join(tmpdir(), "lipsc-files-"));
const refused = (path: string, reason: string) => ({
  ok: false,
  problem: { code: "LIPS0614", message: expect.stringMatching(new RegExp(`${path}.*${reason}`)) },
});

describe("what the operating system refuses is a diagnostic (file-refused)", () => {
  it("a folder in place of a file, a file in place of a folder", () => {
    const folder = scratch();
    const file = join(folder, "file");
    expect(writeWhole(file, "text")).toMatchObject({ ok: true });
    expect(readFileSync(file, "utf8")).toBe("text");
    expect(readBytes(folder, "file")).toMatchObject(refused(folder, "it is a folder"));
    expect(readFolder(file)).toMatchObject(refused(file, "is a file, not a folder"));
    expect(makeFolder(file)).toMatchObject(refused(file, "is a file, not a folder"));
    expect(makeFolder(join(file, "a", "b"))).toMatchObject(refused(file, "is a file, not a folder"));
    expect(writeWhole(join(folder, "none", "file"), "text")).toMatchObject(
      refused("none", "a folder of its path"),
    );
    expect(openMetrics(folder, 0)).toMatchObject(refused(folder, "it is a folder"));
  });

  it("a write that fails leaves what was there, and no half file", () => {
    const folder = scratch();
    const target = join(folder, "target");
    mkdirSync(join(target, "full"), { recursive: true });
    expect(writeWhole(target, "text")).toMatchObject(refused(target, "folder|directory"));
    expect(readdirSync(folder)).toEqual(["target"]);
  });

  it("folders are made with those above them; where that can't be, it ends", () => {
    const folder = scratch();
    expect(makeFolder(join(folder, "a b", "c"))).toMatchObject({ ok: true });
    expect(makeFolder(join(folder, "a b", "c"))).toMatchObject({ ok: true });
    expect(existsSync(join(folder, "a b", "c"))).toBe(true);
    expect(tryFolder(join(folder, "a b", "d", "e"))).toMatchObject({ ok: true });
    expect(readdirSync(join(folder, "a b"))).toEqual(["c"]);
    expect(tryFolder(join(folder, "a b"))).toMatchObject({ ok: true });
    expect(readdirSync(join(folder, "a b"))).toEqual(["c"]);
    writeFileSync(join(folder, "file"), "");
    expect(tryFolder(join(folder, "file", "d"))).toMatchObject({ ok: false });
    if (existsSync("/proc/self")) expect(makeFolder("/proc/nothing/here")).toMatchObject({ ok: false });
  });

  // The superuser may read and write everything.
  it.skipIf(process.getuid?.() === 0)("permissions", () => {
    const folder = scratch();
    chmodSync(folder, 0o500);
    expect(makeFolder(join(folder, "new"))).toMatchObject(refused("new", "permissions"));
  });
});

describe("a run folder", () => {
  it("is never used for a second run", () => {
    const folder = scratch();
    expect(newFolder(folder, "M")).toMatchObject({ ok: true });
    writeFileSync(join(folder, "checkpoint.safetensors"), "");
    expect(newFolder(folder, "M")).toMatchObject({ ok: false, problem: { code: "LIPS0618" } });
  });

  it.each(["", "null", "[]", "{}", '{"engine": 3}', '{"recipe": {"batch": "x"}}'])(
    "with the configuration %j is refused",
    (text) => {
      const folder = scratch();
      writeFileSync(join(folder, "config.json"), text);
      expect(readRecord(runFolder(folder))).toMatchObject({ ok: false, problem: { code: "LIPS0602" } });
    },
  );
});

const spec = (train: string, body = "x |> Linear(3)", input = "input x: [4] in [0, 1]"): string =>
  `lips 1\nmodel M {\n  ${input}\n  weights { init: spectral }\n  output y = ${body}\n}\ntrain M { ${train} }\n`;

describe("before the first step", () => {
  it("what a run passes over is said (report-left-out, group-empty)", () => {
    const model = modelOf(
      spec(
        'report: [accuracy, certified(token, at: [1])], groups: [group("**.nothing", weight_decay: 0), group(vectors, lr: 1)]',
      ),
    );
    const recipe = resolveRecipe(model, { epochs: null, batch: null, lr: null, seed: null });
    if (!recipe.ok) throw new Error(recipe.problem.message);
    const advice = adviceOn(model, recipe.value);
    expect(advice.map((d) => d.code)).toEqual(["LIPS0615", "LIPS0616"]);
    expect(advice[0].message).toContain("certified");
    expect(advice[1].message).toContain("**.nothing");
  });

  it("a model of two inputs, or of token ids, is refused", async () => {
    const two = modelOf(spec("epochs: 1", "Concat(x, z) |> Linear(3)", "input x: [4]\n  input z: [4]"));
    const ids = modelOf(spec("epochs: 1", "x |> Embedding(4) |> MeanPool", "input x: [4] in tokens(9)"));
    for (const model of [two, ids]) {
      const prepared = await prepare(planOf(model, failing("never reached")));
      expect(prepared).toMatchObject({ ok: false, problem: { code: "LIPS0710" } });
    }
  });

  it("an augmentation that doesn't fit the input is refused", () => {
    const crop = { name: "crop", args: { size: 32, padding: 4 } };
    const problem = (name: string, shape: number[]) => augmentProblem([{ name, args: {} }], shape);
    expect(augmentProblem([crop], [28, 28, 1])).toMatchObject({
      message: expect.stringContaining("28 × 28"),
    });
    for (const name of ["flip", "cutmix"]) expect(problem(name, [16, 4])).toMatchObject({ code: "LIPS0612" });
    expect(problem("mixup", [16, 4])).toBe(null);
    expect(problem("toString", [28, 28, 1])).toMatchObject({ code: "LIPS0612" });
  });

  it("an image folder without its training half is refused", () => {
    const folder = scratch();
    mkdirSync(join(folder, "test", "a"), { recursive: true });
    expect(readImageFolder(folder, [8, 8, 3])).toMatchObject({ ok: false, problem: { code: "LIPS0626" } });
    expect(openData(modelOf(spec("epochs: 1")), folder)).toMatchObject({
      problem: { message: expect.stringContaining("[4]") },
    });
  });
});

/** An engine whose every step throws. */
function failing(message: string): Engine {
  const session: Session = {
    run: () => Promise.reject(new Error(message)),
    write: () => Promise.resolve(),
    read: () => Promise.resolve({}),
    release: () => Promise.resolve(),
  };
  const open = (): ReturnType<Engine["open"]> => Promise.resolve({ ok: true, value: session });
  return { name: "failing", device: "nowhere", version: "0", open };
}

function planOf(model: ReturnType<typeof modelOf>, engine: Engine) {
  const recipe = resolveRecipe(model, { epochs: null, batch: 2, lr: null, seed: null });
  if (!recipe.ok) throw new Error(recipe.problem.message);
  const folder = scratch();
  for (const [name, shape, values] of [
    ["x", [4, 4], Float32Array.from({ length: 16 }, (_, i) => i / 16)],
    ["y", [4], Int32Array.of(0, 1, 2, 0)],
  ] as const) {
    const descr = name === "x" ? "<f4" : "<i4";
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }\n`;
    const head = Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from("NUMPY\x01\x00"),
      Buffer.from([header.length, 0]),
    ]);
    writeFileSync(
      join(folder, `${name}.npy`),
      Buffer.concat([head, Buffer.from(header), Buffer.from(values.buffer)]),
    );
  }
  const data = openData(modelOf(spec("epochs: 1")), folder);
  if (!data.ok) throw new Error(data.problem.message);
  const target = runFolder(scratch());
  return {
    model,
    recipe: recipe.value,
    data: data.value,
    engine,
    folder: target,
    resume: false,
    checkpointEvery: null,
    workers: 0,
  };
}

describe("an engine that fails in a step", () => {
  const silent = { tick: () => undefined, line: () => undefined, done: () => undefined };
  const runWith = async (message: string) => {
    const prepared = await prepare(planOf(modelOf(spec("epochs: 1")), failing(message)));
    if (!prepared.ok) throw new Error(prepared.problem.message);
    return run(prepared.value, silent, () => false);
  };
  it("for want of memory says so (engine-failed)", async () => {
    expect(await runWith("std::bad_alloc")).toMatchObject({ ok: false, problem: { code: "LIPS0706" } });
  });
  it("for another reason is a bug, and no diagnostic", async () => {
    await expect(runWith("no value for input x")).rejects.toThrow("no value");
  });
});
