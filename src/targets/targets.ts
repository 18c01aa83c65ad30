/** The list of targets. Each is loaded when it is asked for, so that the command line starts quickly. */
import type { Target } from "./target.ts";

const loaders = {
  onnx: async (): Promise<Target> => (await import("./onnx/bundle.ts")).onnxTarget,
  tfjs: async (): Promise<Target> => (await import("./tfjs/bundle.ts")).tfjsTarget,
  pytorch: async (): Promise<Target> => (await import("./pytorch/target.ts")).pytorchTarget,
} as const satisfies Record<string, () => Promise<Target>>;

export type TargetName = keyof typeof loaders;

export const targetNames = Object.keys(loaders) as readonly TargetName[];

export function loadTarget(name: TargetName): Promise<Target> {
  return loaders[name]();
}
