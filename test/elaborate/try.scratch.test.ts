import { test } from "vitest";
import { readFileSync } from "node:fs";
import { elaborateAt, parametersOf } from "./host.ts";
test("try", () => {
  for (const f of (process.env.FILES ?? "").split(" ")) {
    elaborateAt(f);
    const t = performance.now();
    const r = elaborateAt(f);
    console.log(f, (performance.now() - t).toFixed(0), "ms");
    for (const d of r.diagnostics.all) {
      let line = 0;
      try { line = readFileSync(d.span!.file, "utf8").slice(0, d.span!.start).split("\n").length } catch {}
      console.log("  ", d.code, d.severity, d.message, `@${d.span?.file}:${line}`, d.help ?? "");
    }
    for (const m of r.models) { console.log("  ", m.name, parametersOf(m), m.nodes.length, "nodes", m.claims.length, "claims", m.train ? "train" : "");
      if (process.env.PATHS) console.log(m.weights.map((w) => `${w.path} ${w.shape}`).slice(0, +process.env.PATHS).join("\n")); }
  }
});
