/** The backends of TensorFlow.js, fastest first: what each needs, and how to tell that it really runs. */
import util from "node:util";
import type * as Tf from "@tensorflow/tfjs-core";
import { importPackage } from "./packages.ts";

export interface Backend {
  /** As the user says it with --engine. */
  readonly engine: string;
  /** As TensorFlow.js calls it. */
  readonly name: string;
  /** What has to be installed, where it isn't part of this package's own dependencies. */
  readonly install: string | null;
  /** Registers the backend; throws where something is missing. */
  register(tf: typeof Tf): Promise<void>;
  /** What went wrong on the device since the last time, where the backend itself would go on with wrong numbers. */
  failures?(tf: typeof Tf): readonly string[];
  /** Once it runs: what it runs on. A text that begins with `!` says why it can't be used. */
  device(tf: typeof Tf): string;
}

/** TensorFlow's C library, in one of its two packages. */
function native(engine: string, wantsGpu: boolean): Backend {
  return {
    engine,
    name: "tensorflow",
    // With scripts: they fetch TensorFlow's C library.
    install: wantsGpu
      ? `for CUDA 11.2: npm rebuild @tensorflow/${engine} --ignore-scripts=false; for newer: docs/gpu.md`
      : `npm install @tensorflow/${engine}@4.22.0 --ignore-scripts=false`,
    async register() {
      // Node 23 took away a function that tfjs-node 4.22 calls.
      const functions = util as unknown as Record<string, unknown>;
      functions.isNullOrUndefined ??= (x: unknown) => x === null || x === undefined;
      await importPackage(`@tensorflow/${engine}`);
    },
    device(tf) {
      const { binding, isUsingGpuDevice } = tf.backend() as {
        binding?: { TF_Version?: string };
        isUsingGpuDevice?: boolean;
      };
      const library = `TensorFlow ${binding?.TF_Version ?? "of unknown version"}`;
      if (wantsGpu && isUsingGpuDevice !== true) return `!${library} finds no GPU that it can use`;
      return `${isUsingGpuDevice === true ? "GPU" : "CPU"}, ${library}`;
    },
  };
}

interface WebGpuDevice {
  addEventListener(type: "uncapturederror", listener: (event: { error: { message: string } }) => void): void;
}

const listened = new WeakMap<WebGpuDevice, string[]>();

/** A shader that doesn't compile is an event to a device, not an exception, and its results are whatever was there. */
function deviceErrors(tf: typeof Tf): string[] {
  const { device } = tf.backend() as unknown as { device: WebGpuDevice };
  let errors = listened.get(device);
  if (errors === undefined) {
    const heard: string[] = (errors = []);
    device.addEventListener("uncapturederror", ({ error }) => heard.push(error.message));
    listened.set(device, errors);
  }
  return errors;
}

let dawn: object | null = null;

async function openDawn(): Promise<object> {
  const { create, globals } = await importPackage("webgpu");
  Object.assign(globalThis, globals);
  return (create as (options: readonly string[]) => object)([]);
}

const webgpu: Backend = {
  engine: "tfjs-webgpu",
  name: "webgpu",
  install: "npm install webgpu@0.6.2 @tensorflow/tfjs-backend-webgpu@4.22.0",
  async register() {
    // Made once and held for good: a device doesn't keep alive what it came from, and falls with it.
    dawn ??= await openDawn();
    // Node has a navigator since 21.
    const world = globalThis as { navigator?: object };
    if (world.navigator === undefined) Object.defineProperty(world, "navigator", { value: {} });
    Object.defineProperty(world.navigator, "gpu", { value: dawn, configurable: true });
    // It looks for navigator.gpu as soon as it is loaded.
    await importPackage("@tensorflow/tfjs-backend-webgpu");
  },
  failures: (tf) => deviceErrors(tf).splice(0),
  device(tf) {
    deviceErrors(tf);
    const { adapterInfo } = tf.backend() as { adapterInfo?: { vendor?: string; architecture?: string } };
    const parts = [adapterInfo?.vendor, adapterInfo?.architecture].filter((part) => part);
    return `WebGPU${parts.length > 0 ? `, ${parts.join(" ")}` : ""}`;
  },
};

const wasm: Backend = {
  engine: "tfjs-wasm",
  name: "wasm",
  install: null,
  async register() {
    await import("@tensorflow/tfjs-backend-wasm");
  },
  device(tf) {
    const simd = tf.env().get("WASM_HAS_SIMD_SUPPORT") === true;
    // The package turns threads off in Node.
    return `WebAssembly on the CPU${simd ? " with SIMD" : ""}, 1 thread`;
  },
};

const cpu: Backend = {
  engine: "tfjs-cpu",
  name: "cpu",
  install: null,
  async register() {
    await import("@tensorflow/tfjs-backend-cpu");
  },
  device: () => "JavaScript on the CPU, 1 thread",
};

/** In the order in which `--engine tfjs` tries them. */
export const backends: readonly Backend[] = [
  native("tfjs-node-gpu", true),
  native("tfjs-node", false),
  webgpu,
  wasm,
  cpu,
];
