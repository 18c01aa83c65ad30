/**
 * The compiler's only door to the world. Files, clock, console and environment come in through it, so that
 * the compiler runs unchanged in a browser and in tests. Nothing under grammar/, syntax/, elaborate/, model/,
 * layers/, gain/ or graph/ may import from "node:".
 */
export interface Host {
  /** The text of a file, or undefined where there is none. `path` is absolute or relative to the working folder. */
  readText(path: string): string | undefined;
  /** Why a file that is there can't be read ("it is a folder"); null where there is none. A host may leave it out. */
  whyUnreadable?(path: string): string | null;
  /** The text of a standard-library file, `std/attention` → its source; undefined where there is none. */
  readStd(name: string): string | undefined;
  /** `relative` as seen from the folder of `fromFile`, normalised. */
  resolve(fromFile: string, relative: string): string;
}
