/** A target: what the compiler can write a model as. One folder each; a new one is a folder and a line in targets.ts. */
import type { Result } from "../diagnostics/result.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import type { SourceFile } from "../text/source.ts";

/** File name → content. Emitters return files, they don't write. */
export type Bundle = ReadonlyMap<string, Uint8Array | string>;

export interface TargetInput {
  readonly model: Model;
  readonly recipe: TrainConfig;
  /** The spec's files by name, so that generated code can quote the line that it was made from. */
  readonly sources: ReadonlyMap<string, SourceFile>;
  /** The text of a file of this project, `src/graph/mix.ts`: for targets whose files hold parts of it. */
  readonly own: (path: string) => string;
}

export interface Target {
  /** As the user says it with --target. */
  readonly name: string;
  emit(input: TargetInput): Promise<Result<Bundle>>;
  /** What its user does next: a command or an import, and what that needs. */
  use(folder: string): string;
  /** Files of the project that go beside them as they are: name in the bundle → path for `bundled`. */
  assets?(input: TargetInput): ReadonlyMap<string, string>;
}
