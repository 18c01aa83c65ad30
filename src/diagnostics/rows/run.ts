/** 06 files and data, 07 build and run. */

/** Some names are enough to see what is going on. */
const mostNames = 6;

function listed(names: readonly string[], what: string): string {
  if (names.length === 0) return "";
  const more = names.length > mostNames ? [`… and ${names.length - mostNames} more`] : [];
  return `${names.length} ${what}${["", ...names.slice(0, mostNames), ...more].join("\n    ")}`;
}

export const runRows = {
  "file-not-found": {
    code: "LIPS0601",
    severity: "error",
    message: (p: { path: string; what: string }) => `There is no ${p.what} \`${p.path}\`.`,
    help: () => "check the path; relative paths are seen from the folder that the command runs in",
  },
  "damaged-file": {
    code: "LIPS0602",
    severity: "error",
    message: (p: { path: string; problem: string }) => `\`${p.path}\` is damaged: ${p.problem}.`,
    help: () => "copy or download the file again",
  },
  "data-shape": {
    code: "LIPS0603",
    severity: "error",
    message: (p: { input: string; expected: string; found: string; data: string }) =>
      `Input \`${p.input}\` is ${p.expected}, but ${p.data} holds samples of ${p.found}.`,
    help: () => "change the input's shape in the spec, or choose data of that shape with --data",
  },
  "data-domain": {
    code: "LIPS0604",
    severity: "error",
    message: (p: { input: string; domain: string; found: string; data: string }) =>
      `Input \`${p.input}\` is promised to lie in ${p.domain}, but ${p.data} holds ${p.found}: the bound wouldn't be about this data.`,
    help: () => "widen the domain after `in`, or scale the data",
  },
  "data-labels": {
    code: "LIPS0605",
    severity: "error",
    message: (p: { data: string; label: number; classes: number; output: string }) =>
      `${p.data} holds label ${p.label}, but \`${p.output}\` has ${p.classes} classes (0 to ${p.classes - 1}).`,
    help: () => "set the number of classes in the spec, or with --set classes=…",
  },
  "no-data": {
    code: "LIPS0606",
    severity: "error",
    message: (p: { model: string }) => `Nothing says which data \`${p.model}\` is about.`,
    help: () => "add `data: fashion_mnist` to its `train` section, or give --data FOLDER",
  },
  "data-kind": {
    code: "LIPS0607",
    severity: "error",
    message: (p: { kind: string }) => `Data \`${p.kind}\` can't be read yet.`,
    help: () =>
      "available: fashion_mnist (bundled), imagenet, images(folder), table(file); or --data with a folder of IDX files, .npy files or images",
  },
  "checkpoint-mismatch": {
    code: "LIPS0608",
    severity: "error",
    message: (p: { path: string; problem: string }) =>
      `The checkpoint \`${p.path}\` doesn't fit this model: ${p.problem}.`,
    help: () =>
      "weights belong to the spec and options that they were trained with (config.json of their run holds both): take those, or other weights",
  },
  "not-finite": {
    code: "LIPS0609",
    severity: "error",
    message: (p: { what: string; step: number; kept: string }) =>
      `The ${p.what} is not a finite number after step ${p.step}; training stopped. Last good checkpoint: ${p.kept}.`,
    help: () =>
      "try a smaller learning rate (--lr), clipping (`clip: 1`), or an architecture with a finite bound: see `lipsc check`",
  },
  "no-model": {
    code: "LIPS0610",
    severity: "error",
    message: (p: { file: string; wanted: string; found: string }) =>
      `\`${p.file}\` has no model ${p.wanted}. Found: ${p.found}.`,
    help: () => "name one with --model NAME",
  },
  "too-few-samples": {
    code: "LIPS0611",
    severity: "error",
    message: (p: { data: string; count: number; batch: number }) =>
      `${p.data} holds ${p.count} samples, fewer than one batch of ${p.batch}.`,
    help: () => "use a smaller batch: --batch N",
  },
  "run-option": {
    code: "LIPS0612",
    severity: "error",
    message: (p: { option: string; problem: string }) => `\`${p.option}\`: ${p.problem}.`,
  },
  "several-models": {
    code: "LIPS0613",
    severity: "error",
    message: (p: { file: string; names: string }) =>
      `\`${p.file}\` has several models with a \`train\` section: ${p.names}.`,
    help: () => "name one with --model NAME",
  },
  "file-refused": {
    code: "LIPS0614",
    severity: "error",
    message: (p: { path: string; doing: "read" | "written"; reason: string }) =>
      `\`${p.path}\` can't be ${p.doing}: ${p.reason}.`,
    help: (p: { doing: "read" | "written" }) => (p.doing === "written" ? "choose another place" : null),
  },
  "report-left-out": {
    code: "LIPS0615",
    severity: "warning",
    message: (p: { names: readonly string[] }) =>
      `The run doesn't report everything: ${p.names.map((n) => `\`${n}\``).join(", ")} can't be measured yet.`,
  },
  "group-empty": {
    code: "LIPS0616",
    severity: "warning",
    message: (p: { selector: string; model: string }) =>
      `The group of \`${p.selector}\` selects no weight of \`${p.model}\`.`,
    help: () =>
      "weights have paths such as `lips_block.2.0.attention.linear.weight`; `*` stands for one part, `**` for any",
  },
  "too-large-to-run": {
    code: "LIPS0617",
    severity: "error",
    message: (p: { what: string; needs: string; has: string }) =>
      `${p.what} would take about ${p.needs}; ${p.has}.`,
    help: () => "a smaller batch (--batch N), or a smaller model",
  },
  "run-exists": {
    code: "LIPS0618",
    severity: "error",
    message: (p: { path: string }) => `\`${p.path}\` holds a run already.`,
    help: (p: { path: string }) =>
      `choose another folder with --out, or go on with that run: lipsc train --resume ${p.path}`,
  },
  "run-changed": {
    code: "LIPS0619",
    severity: "error",
    message: (p: { path: string; what: string }) => `The run \`${p.path}\` can't go on: ${p.what}.`,
    help: () => "bring back what it was begun with (config.json holds the spec's text), or begin a new run",
  },
  "data-elsewhere": {
    code: "LIPS0620",
    severity: "error",
    message: (p: { kind: string }) =>
      `Data \`${p.kind}\` doesn't come with lipsc: its folder has to be named.`,
    help: () =>
      "give the folder with --data; it holds train/<class>/ and val/<class>/ with .JPEG, .jpg, .jpeg or .png files",
  },
  "data-classes": {
    code: "LIPS0621",
    severity: "error",
    message: (p: { data: string; classes: number; outputs: number; output: string }) =>
      `${p.data} has ${p.classes} ${p.classes === 1 ? "class" : "classes"}, but \`${p.output}\` has ${p.outputs}.`,
    help: (p: { classes: number }) =>
      `name the whole data set, or make the head smaller: --set classes=${p.classes}, where the model has such a parameter`,
  },
  "changed-model": {
    code: "LIPS0623",
    severity: "warning",
    message: (p: { path: string; changes: readonly string[] }) =>
      `The weights of \`${p.path}\` were trained in another model, without ${p.changes.join(", ")}.`,
    help: () => "what follows is about the changed model with these weights, not about the run",
  },
  "not-a-run": {
    code: "LIPS0624",
    severity: "error",
    message: (p: { path: string }) => `\`${p.path}\` is not the folder of a run: it has no \`config.json\`.`,
    help: () => "`lipsc train SPEC` makes such a folder, below runs/ where --out doesn't say otherwise",
  },
  "no-weights-yet": {
    code: "LIPS0625",
    severity: "error",
    message: (p: { path: string }) =>
      `The run \`${p.path}\` holds no weights: it ended before its first checkpoint, or they were moved.`,
    help: (p: { path: string }) =>
      `go on with it: lipsc train --resume ${p.path}; or name a file with --weights`,
  },
  "weights-differ": {
    code: "LIPS0622",
    severity: "error",
    message: (p: {
      file: string;
      model: string;
      missing: readonly string[];
      leftOver: readonly string[];
      misshapen: readonly string[];
    }) =>
      `\`${p.file}\` doesn't hold the weights of \`${p.model}\`: ` +
      [listed(p.missing, "missing"), listed(p.leftOver, "left over"), listed(p.misshapen, "of another shape")]
        .filter((part) => part !== "")
        .join("\n"),
    help: () =>
      "choose the model of the family that the file is of (--model, --set depths=…, --set classes=…); `lipsc check` shows its shapes",
  },
  "unexpected-file": {
    code: "LIPS0626",
    severity: "error",
    message: (p: { path: string; problem: string; instead: string }) =>
      `\`${p.path}\` is not what is expected here: ${p.problem}.`,
    help: (p: { instead: string }) => p.instead,
  },
  "engine-missing": {
    code: "LIPS0701",
    severity: "error",
    message: (p: { engine: string; reason: string; install?: string }) =>
      `The engine ${p.engine} can't be loaded: ${p.reason}`,
    help: (p: { engine: string; install?: string }) =>
      p.install === undefined
        ? `install it again (npm install ${p.engine}), or choose another with --engine`
        : `install what it needs (${p.install}), or choose another with --engine`,
  },
  "unknown-engine": {
    code: "LIPS0702",
    severity: "error",
    message: (p: { found: string; known: readonly string[] }) => `There is no engine \`${p.found}\`.`,
    help: (p: { known: readonly string[] }) => `engines: ${p.known.join(", ")}`,
  },
  "device-missing": {
    code: "LIPS0703",
    severity: "error",
    message: (p: { engine: string; device: string; reason: string }) =>
      `${p.engine} can't run on ${p.device} here: ${p.reason}`,
    help: () => "without --device and --engine it runs on the CPU; docs/gpu.md says what a GPU needs",
  },
  "engine-refused": {
    code: "LIPS0704",
    severity: "error",
    message: (p: { engine: string; reason: string }) => `${p.engine} refused the model: ${p.reason}`,
    help: () =>
      "the model file is damaged, or made for a newer version of the engine; build it again with `lipsc build`",
  },
  "engine-fallback": {
    code: "LIPS0705",
    severity: "warning",
    message: (p: { wanted: string; used: string; reason: string }) =>
      `Running on ${p.used}, which is slower. ${p.reason}`,
    help: (p: { wanted: string }) => `reinstall ${p.wanted} for full speed`,
  },
  "engine-failed": {
    code: "LIPS0706",
    severity: "error",
    message: (p: { engine: string; what: string; reason: string }) =>
      `${p.engine} failed in ${p.what}: ${p.reason}`,
    help: () => "most often memory: try a smaller batch (--batch N)",
  },
  "bound-broken": {
    code: "LIPS0720",
    severity: "error",
    message: (p: { from: string; to: string; norm: string; observed: string; upper: string }) =>
      `SOUNDNESS BUG OF LIPSC: the ${p.norm} gain from \`${p.from}\` to \`${p.to}\` is proven to be at most ${p.upper}, ` +
      `but two inputs of the domain show ${p.observed}.`,
    help: () =>
      "the proof is wrong, so trust no bound of this model; please report the spec, the weights file and the seed",
  },
  "certificate-broken": {
    code: "LIPS0721",
    severity: "error",
    message: (p: {
      sample: number;
      label: number;
      predicted: number | null;
      radius: string;
      distance: string;
      file: string;
    }) =>
      `SOUNDNESS BUG OF LIPSC: sample ${p.sample} is certified as class ${p.label} within ${p.radius}, but a point of the ` +
      `domain at a distance of ${p.distance} is classified as ${p.predicted ?? "nothing: its logits are not finite"} (both points: ${p.file}).`,
    help: () =>
      "the proof is wrong, so trust no certificate of this model; please report the spec, the weights and that file",
  },
  "radius-unproven": {
    code: "LIPS0722",
    severity: "error",
    message: (p: { input: string; output: string; reason: string }) =>
      `No sample can be certified: nothing bounds the gain from \`${p.input}\` to \`${p.output}\`. ${p.reason}`,
    help: () => "`lipsc certify` shows where the bound is lost, and what to change",
  },
  "not-executable": {
    code: "LIPS0710",
    severity: "error",
    message: (p: { what: string; reason: string }) => `${p.what} can't be executed: ${p.reason}.`,
    help: () => "`lipsc check` works without it; nothing was built or trained",
  },
  "target-refused": {
    code: "LIPS0711",
    severity: "error",
    message: (p: { what: string; target: string; reason: string }) =>
      `${p.what} can't be written for ${p.target} yet: ${p.reason}.`,
    help: () => "`lipsc check` and the other targets work without it; nothing was written",
  },
} as const;
