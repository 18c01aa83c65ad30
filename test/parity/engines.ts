/** The engines that parity is tested on: those of `npm test`, and with `npm run test:parity` those that have to be installed. */
import type { Engine } from "../../src/runtime/engine.ts";
import { engineNames, openEngine } from "../../src/runtime/engines/select.ts";
import { valueOf } from "../onnx/support.ts";

const always = ["onnxruntime-node", "onnxruntime-web", "tfjs-wasm", "tfjs-cpu"];
const whereInstalled = ["tfjs-node", "tfjs-node-gpu", "tfjs-webgpu"];

export const all = process.env.LIPSC_PARITY === "all";

export const parityEngines = [...always, ...(all ? whereInstalled : [])].filter((name) =>
  engineNames.includes(name),
);

/** An engine, or why it can't be had here; one that `npm test` needs is never absent without a failure. */
export async function parityEngine(name: string): Promise<Engine | { readonly absent: string }> {
  const choice = await openEngine({ engine: name });
  if (!choice.ok && whereInstalled.includes(name)) return { absent: choice.problem.message };
  return valueOf(choice);
}

export async function reference(): Promise<Engine> {
  return valueOf(await openEngine({ engine: "reference" }));
}
