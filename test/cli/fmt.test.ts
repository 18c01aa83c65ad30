import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lipsc } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lipsc-fmt-"));
const ugly = "lips 1\n\nmodel  M( a:int=3 ) {\n  input x: [4]\n output y = x|>Linear( a ) // why\n}\n";
const tidy = "lips 1\n\nmodel M(a: int = 3) {\n  input x: [4]\n  output y = x |> Linear(a) // why\n}\n";

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

it("writes what isn't in canonical form, and names it; what is stays as it was", async () => {
  const [first, second] = [file("ugly.lips", ugly), file("tidy.lips", tidy)];
  const { code, stdout } = await lipsc("fmt", first, second);
  expect([code, stdout]).toEqual([0, `${first}\n`]);
  expect([readFileSync(first, "utf8"), readFileSync(second, "utf8")]).toEqual([tidy, tidy]);
  expect(await lipsc("fmt", first)).toEqual({ code: 0, stdout: "", stderr: "" });
});

it("changes nothing with --check", async () => {
  const path = file("checked.lips", ugly);
  const { code, stdout } = await lipsc("fmt", "--check", path);
  expect(code).toBe(1);
  expect(stdout).toContain("is not in canonical form");
  // Those that differ, and no others.
  const both = await lipsc("fmt", "--check", file("right.lips", tidy), path);
  expect(both.stdout).toContain(`write it with: lipsc fmt ${path}\n`);
  expect(readFileSync(path, "utf8")).toBe(ugly);
  expect((await lipsc("fmt", "--check", file("right.lips", tidy))).code).toBe(0);
});

it("leaves a file with mistakes alone, says where they are, and formats the others", async () => {
  const broken = "lips 1\nmodel M { input x: [4\n";
  const [bad, other] = [file("bad.lips", broken), file("other.lips", ugly)];
  const { code, stdout, stderr } = await lipsc("fmt", bad, join(folder, "none.lips"), other);
  expect([code, stdout]).toEqual([1, `${other}\n`]);
  expect(stderr).toContain("bad.lips:2");
  expect(stderr).toContain("There is no spec");
  expect(readFileSync(bad, "utf8")).toBe(broken);
});

it("takes a folder for all specs in it and below, and leaves packages alone", async () => {
  const top = mkdtempSync(join(tmpdir(), "lipsc-fmt-folder-"));
  mkdirSync(join(top, "deep"));
  mkdirSync(join(top, "node_modules", "other"), { recursive: true });
  const [a, b] = [join(top, "a.lips"), join(top, "deep", "b.lips")];
  const [foreign, note] = [join(top, "node_modules", "other", "c.lips"), join(top, "note.txt")];
  symlinkSync(top, join(top, "deep", "up"));
  for (const path of [a, b, foreign, note]) writeFileSync(path, ugly);
  const { code, stdout } = await lipsc("fmt", top);
  expect([code, stdout]).toEqual([0, `${a}\n${b}\n`]);
  expect([a, b, foreign, note].map((path) => readFileSync(path, "utf8"))).toEqual([tidy, tidy, ugly, ugly]);
});
