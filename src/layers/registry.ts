/** All built-in layers, explicitly: a new layer is one new file and one line here. */
import type { Layer } from "./layer.ts";

const all: readonly Layer[] = [];

export const layers: ReadonlyMap<string, Layer> = new Map(all.map((layer) => [layer.name, layer]));
