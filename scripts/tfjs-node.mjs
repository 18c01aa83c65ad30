// npm run test:tfjs-node [-- --gpu] — TensorFlow.js on the native TensorFlow library, built from what npm and PyPI offer.
//
// The stock install of @tensorflow/tfjs-node downloads libtensorflow 2.9.1 from elsewhere. Here its binding is compiled
// against the shared libraries inside PyPI's wheel tensorflow-cpu, whose C interface is the same. Then the engine
// `tfjs-node` is compared with the float64 interpreter and trains. With --gpu the same with tfjs-node-gpu, the wheel
// tensorflow and the CUDA libraries that it names (docs/gpu.md). What was built is kept, to be used with
// LIPSC_PACKAGES=<folder>, as the script says.
//
//   LIPSC_TENSORFLOW_WHEEL  a wheel that is there already (default: pip download --no-deps tensorflow-cpu)
//   LIPSC_CUDA=system       with --gpu: don't install NVIDIA's wheels, the libraries are on the system
//   LIPSC_CACHE             where packages and libraries are kept (default: node_modules/.cache/lipsc)
//   PYTHON                  the Python whose pip and zipfile are used (default: python3)
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { installBeside, lastLine, root, run, say, skip } from "./beside.mjs";

const version = "4.22.0";
const gpu = process.argv.includes("--gpu");
const engine = gpu ? "tfjs-node-gpu" : "tfjs-node";
const wheelName = gpu ? "tensorflow" : "tensorflow-cpu";
/**
 * Takes a wheel and a folder: shared libraries to lib/, headers of the C interface to include/. Prints what the wheel
 * requires for CUDA.
 */
const unpack = `
import os, shutil, sys, zipfile
wheel, target = sys.argv[1:]
libraries = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
headers = "tensorflow/include/"
parts = ("tensorflow/c/", "tensorflow/core/platform/", "tensorflow/tsl/", "tsl/", "xla/tsl/")
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        inside = name[len(headers):]
        # Of what the interface's headers include, more of it with each version of TensorFlow.
        wanted = name.startswith(headers) and inside.startswith(parts)
        if name in libraries: path = os.path.join(target, "lib", os.path.basename(name))
        elif wanted and not name.endswith("/"): path = os.path.join(target, "include", inside)
        else: continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with files.open(name) as source, open(path, "wb") as copy: shutil.copyfileobj(source, copy)
    metadata = next(name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
    for line in files.read(metadata).decode().splitlines():
        if line.startswith("Requires-Dist: nvidia-"): print(line[len("Requires-Dist: "):].split(";")[0].strip())
`;
const python = process.env.PYTHON ?? "python3";

if (process.platform !== "linux") skip("it is for Linux: elsewhere the wheels and libraries are others");
for (const program of ["make", "g++"]) {
  if (run(program, ["--version"], { quiet: true }).status !== 0) skip(`no ${program} to compile the binding`);
}
const headers = nodeHeaders();
if (headers === null) skip("Node's own headers (include/node/node_api.h) are not installed beside it");

const folder = installBeside(engine, [`@tensorflow/${engine}@${version}`]);
const binding = join(folder, "node_modules", "@tensorflow", engine);
if (!existsSync(join(binding, "lib"))) build();
const environment = { LIPSC_PACKAGES: folder, LIPSC_ENGINE: engine, TF_CPP_MIN_LOG_LEVEL: "2" };

const probe = `
  const tf = require("@tensorflow/${engine}");
  const { binding, isUsingGpuDevice } = tf.backend();
  console.log(tf.getBackend() + ", ${engine} " + tf.version["tfjs-node"] + ", TensorFlow " + binding.TF_Version + ", GPU " + isUsingGpuDevice);`;
const probed = run(process.execPath, ["-e", probe], {
  cwd: folder,
  quiet: true,
  env: { ...environment, TF_CPP_MIN_LOG_LEVEL: "0" },
});
if (probed.status !== 0) {
  console.error(`the binding does not load: ${lastLine(probed.stderr)}`);
  process.exit(1);
}
say(`loaded: ${lastLine(probed.stdout)}`);

if (gpu && !probed.stdout.includes("GPU true")) {
  const said = (probed.stderr ?? "").split("\n").filter((line) => /cuda|gpu|dso/i.test(line));
  console.error(["the binding works, but TensorFlow finds no GPU; it says:", ...said].join("\n  "));
  process.exit(1);
}

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const tests = run(
  process.execPath,
  [vitest, "run", "test/optional/tfjs-node.test.ts", "--disable-console-intercept"],
  { env: environment },
);
if (tests.status !== 0) process.exit(tests.status ?? 70);
const lipsc = join(root, "dist", "src", "cli", "main.js");
const out = join(folder, "run");
rmSync(out, { recursive: true, force: true });
const quickStart = [
  lipsc,
  "train",
  "specs/quick-start.lips",
  "--engine",
  engine,
  "--epochs",
  "2",
  "--out",
  out,
];
const trained = run(process.execPath, quickStart, { env: environment });
if (trained.status !== 0) process.exit(trained.status ?? 70);
say(`to use it: LIPSC_PACKAGES=${folder} npx lipsc train FILE --engine ${engine}`);

/** The folder that holds include/node, for node-gyp: it would download the headers otherwise. */
function nodeHeaders() {
  const folders = [
    dirname(dirname(process.execPath)),
    process.config.variables.node_prefix,
    "/usr",
    "/usr/local",
  ];
  return folders.find((f) => f && existsSync(join(f, "include", "node", "node_api.h"))) ?? null;
}

/** TensorFlow's libraries and headers into the package's deps/, then its own install script, which finds them there. */
function build() {
  const wheel = process.env.LIPSC_TENSORFLOW_WHEEL ?? download();
  if (!existsSync(wheel)) skip(`no wheel at ${wheel}`);
  const deps = join(binding, "deps");
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, "lib"), { recursive: true });
  say(`libraries and headers of ${wheel}`);
  const unpacked = run(python, ["-c", unpack, wheel, deps], { quiet: true });
  if (unpacked.status !== 0) skip(`the wheel can't be unpacked: ${lastLine(unpacked.stderr)}`);
  const { LIBTENSORFLOW_VERSION } = createRequire(join(binding, "package.json"))(
    "./scripts/deps-constants.js",
  );
  const link = (name, target) => symlinkSync(target, join(deps, "lib", name));
  // What the linker asks for, and the file whose presence tells the install script that there is nothing to download.
  link("libtensorflow.so", "libtensorflow_cc.so.2");
  link("libtensorflow_framework.so", "libtensorflow_framework.so.2");
  link(`libtensorflow.so.${LIBTENSORFLOW_VERSION}`, "libtensorflow_cc.so.2");
  // With a library of one's own the script compiles, and looks for no finished binding.
  writeFileSync(
    join(binding, "scripts", "custom-binary.json"),
    JSON.stringify({ "tf-lib": "in deps/" }) + "\n",
  );
  if (gpu && process.env.LIPSC_CUDA !== "system") installCuda(deps, unpacked.stdout.trim().split("\n"));
  say("compiling the binding");
  // Not `npm rebuild`: the GPU package's own script is told to download in any case.
  const built = run("npm", ["exec", "--offline", "-c", `node scripts/install.js ${gpu ? "gpu" : "cpu"}`], {
    cwd: binding,
    env: { npm_config_nodedir: headers },
    quiet: true,
  });
  if (built.status === 0 && existsSync(join(binding, "lib"))) return;
  console.error(built.stdout, built.stderr);
  console.error("the binding does not compile");
  process.exit(1);
}

/**
 * NVIDIA's wheels, as TensorFlow's own extra `and-cuda` has them. The libraries look for each other in ../nvidia from
 * where they are, so that deps/nvidia needs no LD_LIBRARY_PATH.
 */
function installCuda(deps, requirements) {
  say(`pip install --target deps ${requirements.length} packages of NVIDIA (3 GB)`);
  const args = [
    "-m",
    "pip",
    "install",
    "--no-deps",
    "--only-binary=:all:",
    "--target",
    deps,
    ...requirements,
  ];
  const { status, stderr } = run(python, args, { quiet: true });
  if (status !== 0) skip(`pip could not install the CUDA libraries: ${lastLine(stderr)}`);
}

function download() {
  if (run(python, ["-m", "pip", "--version"], { quiet: true }).status !== 0)
    skip(`${python} has no pip; give the wheel ${wheelName} in LIPSC_TENSORFLOW_WHEEL`);
  const target = join(folder, "wheel");
  const found = () => (existsSync(target) ? readdirSync(target).find((f) => f.endsWith(".whl")) : undefined);
  if (found() === undefined) {
    say(`pip download --no-deps ${wheelName} (${gpu ? 570 : 270} MB)`);
    const args = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", target, wheelName];
    const { status, stderr } = run(python, args, { quiet: true });
    if (status !== 0) skip(`pip has no ${wheelName} for this Python: ${lastLine(stderr)}`);
  }
  return join(target, found());
}
