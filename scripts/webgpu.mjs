// npm run test:webgpu — WebGPU in Node, on a GPU or on a software Vulkan: a check of correctness, not of speed.
//
// TensorFlow.js needs the packages `webgpu` (Dawn) and `@tensorflow/tfjs-backend-webgpu`, which are put in a folder of
// their own; ONNX Runtime brings its own. Both want a Vulkan driver and its loader, libvulkan.so.1.
//
//   VK_ICD_FILENAMES  the driver (default: SwiftShader as Debian's chromium-common has it, else the system's own)
//   LIPSC_CACHE       where packages are kept (default: node_modules/.cache/lipsc)
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { installBeside, lastLine, run, say, skip } from "./beside.mjs";

const folder = installBeside("webgpu", [
  "webgpu@0.6.2",
  "@tensorflow/tfjs-backend-webgpu@4.22.0",
  "@tensorflow/tfjs-core@4.22.0",
]);
const environment = { LIPSC_PACKAGES: folder, ...vulkan() };

const probe = `
  import { create, globals } from "webgpu";
  Object.assign(globalThis, globals);
  const adapter = await create([]).requestAdapter();
  if (adapter === null) throw new Error("no WebGPU adapter");
  const { vendor, architecture, description } = adapter.info;
  console.log([vendor, architecture, description].filter((s) => s).join(", "));
  process.exit(0);`;
const probed = run(process.execPath, ["--input-type=module", "-e", probe], {
  cwd: folder,
  env: environment,
  quiet: true,
});
if (probed.status !== 0) {
  const reason = (probed.stderr ?? "").split("\n").find((line) => /vulkan|adapter/i.test(line));
  skip(
    `no Vulkan device (${reason?.trim() ?? lastLine(probed.stderr)}); ` +
      "a software one is in Debian's chromium-common (SwiftShader); Mesa's lavapipe of Debian 12 is refused by Dawn",
  );
}
say(`device: ${lastLine(probed.stdout)}`);

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const files = ["test/optional/webgpu.test.ts", "test/optional/onnxruntime-webgpu.test.ts"];
// A software Vulkan compiles each shader for seconds.
const patience = ["--testTimeout=600000", "--no-file-parallelism", "--disable-console-intercept"];
const args = [vitest, "run", ...files, ...patience];
process.exit(run(process.execPath, args, { env: environment }).status ?? 70);

/** What the environment needs so that the loader and a driver are found. */
function vulkan() {
  const given = process.env.VK_ICD_FILENAMES;
  const swiftshader = "/usr/lib/chromium/vk_swiftshader_icd.json";
  if (given !== undefined || !existsSync(swiftshader)) return {};
  const loader = join(dirname(swiftshader), "libvulkan.so.1");
  const libraries = join(folder, "vulkan");
  // Only the loader: Chromium's other libraries beside it are not for us.
  mkdirSync(libraries, { recursive: true });
  const link = join(libraries, "libvulkan.so.1");
  if (existsSync(loader) && !existsSync(link)) symlinkSync(loader, link);
  const path = [process.env.LD_LIBRARY_PATH, libraries].filter((p) => p).join(":");
  return { VK_ICD_FILENAMES: swiftshader, LD_LIBRARY_PATH: path };
}
