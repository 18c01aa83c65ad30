/** Chooses the engine: what the user asked for, or the fastest that loads. Never silently another one. */
import { diagnostic, type Diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Engine } from "../engine.ts";
import type { Result } from "../result.ts";
import { openOrtNode } from "./onnxruntime-node.ts";
import { openOrtWeb } from "./onnxruntime-web.ts";
import type { EngineOptions } from "./options.ts";
import { openReference } from "./reference.ts";
import { openAnyTfjs, openTfjs } from "./tfjs.ts";
import { backends } from "./tfjs-backends.ts";

type Opener = (options: EngineOptions) => Promise<Result<Engine>>;

const openers: Readonly<Record<string, Opener>> = {
  "onnxruntime-node": openOrtNode,
  "onnxruntime-web": openOrtWeb,
  tfjs: openAnyTfjs,
  ...Object.fromEntries(
    backends.map((backend) => [backend.engine, (options: EngineOptions) => openTfjs(backend, options)]),
  ),
  reference: openReference,
};

export const engineNames = Object.keys(openers);

export interface EngineRequest extends EngineOptions {
  /** Default: onnxruntime-node, else onnxruntime-web. */
  readonly engine?: string;
}

export type EngineChoice =
  | {
      readonly ok: true;
      readonly value: Engine;
      /** Why it is not the usual one. */ readonly notes: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly problem: Diagnostic };

/** Opens an engine. Whoever runs something on it prints `name`, `device` and `version`. */
export async function openEngine(request: EngineRequest = {}): Promise<EngineChoice> {
  const { engine, ...options } = request;
  if (engine !== undefined) {
    if (!Object.hasOwn(openers, engine)) {
      return {
        ok: false,
        problem: diagnostic("unknown-engine", null, { found: engine, known: engineNames }),
      };
    }
    return withNotes(await openers[engine](options), []);
  }
  const first = await openOrtNode(options);
  // A device that was asked for is never replaced by another.
  if (first.ok || (options.device ?? "cpu") !== "cpu") return withNotes(first, []);
  const second = await openOrtWeb(options);
  if (!second.ok) return { ok: false, problem: first.problem };
  return withNotes(second, [
    diagnostic("engine-fallback", null, {
      wanted: "onnxruntime-node",
      used: second.value.name,
      reason: first.problem.message,
    }),
  ]);
}

function withNotes(opened: Result<Engine>, notes: readonly Diagnostic[]): EngineChoice {
  return opened.ok ? { ...opened, notes } : opened;
}
