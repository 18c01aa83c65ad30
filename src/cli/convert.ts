/** `lipsc convert FILE --from lipsformer --spec SPEC --out WEIGHTS`: another code's weights under the spec's names, or back. */
import { printDiagnostics } from "./print.ts";
import { encodeWeights } from "../runtime/checkpoint.ts";
import { fromLipsformer, readWeights, toLipsformer } from "../runtime/convert/convert.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { readBytes, writeWhole } from "../runtime/files.ts";
import { writeSafetensors } from "../runtime/safetensors.ts";
import { nodeHost } from "./host-node.ts";
import { loadModel } from "./load.ts";
import { plural } from "./report/numbers.ts";

export interface ConvertOptions {
  readonly file: string;
  readonly spec: string;
  readonly out: string;
  readonly model: string | null;
  readonly set: Record<string, string>;
  /** From LipsFormer's names to the spec's, or the other way. */
  readonly direction: "from" | "to";
}

export async function runConvert(options: ConvertOptions): Promise<number> {
  const { file, spec, out, direction } = options;
  const { model, diagnostics, sources } = loadModel(nodeHost, spec, options.model, options.set);
  printDiagnostics(diagnostics, sources);
  if (!model) return 1;
  const bytes = readBytes(file, "file with weights");
  if (!bytes.ok) return (printDiagnostics([bytes.problem], sources), 1);
  const read = readWeights(bytes.value, file);
  if (!read.ok) return (printDiagnostics([read.problem], sources), 1);
  const converted =
    direction === "from" ? fromLipsformer(file, read.value, model) : toLipsformer(file, read.value, model);
  if (!converted.ok) return (printDiagnostics([converted.problem], sources), 1);
  const { tensors, ignored } = converted.value;
  const state = new Map<string, HostTensor>(
    [...tensors].map(([path, { shape, data }]) => [
      `param/${path}`,
      { dtype: "f32", dims: shape, data: data as Float32Array },
    ]),
  );
  const content =
    direction === "from" ? encodeWeights(model, state) : writeSafetensors(tensors, { format: "pt" });
  const written = writeWhole(out, content);
  if (!written.ok) return (printDiagnostics([written.problem], sources), 1);
  const passed = ignored.length === 0 ? "" : `, ${plural(ignored.length, "buffer")} passed over`;
  process.stdout.write(`model    ${model.name}: ${plural(tensors.size, "tensor")} of ${file}${passed}\n`);
  for (const name of ignored) process.stdout.write(`         ${name} (made from the spec)\n`);
  process.stdout.write(`weights  ${out}\n`);
  return 0;
}
