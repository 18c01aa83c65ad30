/** A thread that takes subnormal numbers for 0 proves nothing. By itself in its file: it can't be undone in a process. */
import * as ort from "onnxruntime-node";
import { expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import { requireSubnormals } from "../../src/gain/up.ts";
import { measure } from "../../src/measure/measure.ts";
import { encodeModel } from "../../src/targets/onnx/proto.ts";
import { modelOf } from "../elaborate/host.ts";

it("is refused by whatever proves something", async () => {
  const model = modelOf("lips 1\nmodel M {\n  input x: [2]\n  output y = x |> Scale(2)\n}\n");
  expect(() => new Analysis(model, "init")).not.toThrow();
  const x = { name: "x", dtype: "f32", dims: [2] } as const;
  const bytes = encodeModel({
    name: "probe",
    opset: 20,
    nodes: [{ name: "add", opType: "Add", domain: "", inputs: ["x", "x"], outputs: ["y"], attributes: {} }],
    inputs: [x],
    outputs: [{ ...x, name: "y" }],
    initializers: [],
  });
  const session = await ort.InferenceSession.create(bytes, {
    extra: { session: { set_denormal_as_zero: "1" } },
  });
  await session.release();
  expect(requireSubnormals).toThrow("subnormal");
  expect(() => new Analysis(model, "init")).toThrow("subnormal");
  expect(() => measure(new Map())).toThrow("subnormal");
});
