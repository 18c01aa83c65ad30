/** The float64 interpreter as an engine: slow and exact, what the others are compared with. */
import type { Array64 } from "../../graph/primitives/primitive.ts";
import type { Engine, HostTensor, Session } from "../engine.ts";
import { bad, good, type Result } from "../result.ts";
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { carriedValues, inputsOf, outputsOf, zerosOf } from "./carried.ts";
import type { EngineOptions } from "./options.ts";

/** Carried state stays in float64 between runs; `read` rounds it. */
export async function openReference({ device = "cpu" }: EngineOptions = {}): Promise<Result<Engine>> {
  const name = "reference";
  if (device !== "cpu") {
    const reason = "it is plain JavaScript in float64, made for tests";
    return bad(diagnostic("device-missing", null, { engine: name, device, reason }));
  }
  const { interpret } = await import("../../graph/interpret.ts");
  return good({
    name,
    device: "CPU, float64, 1 thread",
    version: "1",
    async open(graph, { carry } = {}) {
      const carried = carriedValues(graph, carry);
      const state = new Map(carried.map((v) => [v.name, to64(zerosOf(v.node))]));
      const wanted = inputsOf(graph).filter((v) => !state.has(v.name));
      const results = outputsOf(graph).filter((v) => !state.has(v.name));
      const session: Session = {
        async run(feeds) {
          const given = wanted.map(({ name: input }): [string, Array64] => {
            if (feeds[input] === undefined) throw new Error(`no value for input ${input}`);
            return [input, to64(feeds[input])];
          });
          const outputs = interpret(graph, Object.fromEntries([...given, ...state]));
          for (const v of carried) state.set(v.name, outputs[v.name]);
          return Object.fromEntries(
            results.map(({ name: output, node }) => [output, to32(outputs[output], node.dtype)]),
          );
        },
        async write(values) {
          for (const [input, value] of Object.entries(values)) {
            if (!state.has(input)) throw new Error(`${input} is not carried by this session`);
            state.set(input, to64(value));
          }
        },
        async read(names = [...state.keys()]) {
          return Object.fromEntries(
            names.map((input) => {
              const value = state.get(input);
              const known = carried.find((v) => v.name === input);
              if (value === undefined || known === undefined)
                throw new Error(`${input} is not carried by this session`);
              return [input, to32(value, known.node.dtype)];
            }),
          );
        },
        async release() {
          state.clear();
        },
      };
      return good(session);
    },
  });
}

function to64({ dims, data }: HostTensor): Array64 {
  return { shape: dims, data: Float64Array.from(data) };
}

function to32({ shape, data }: Array64, dtype: HostTensor["dtype"]): HostTensor {
  const values =
    dtype === "f32"
      ? Float32Array.from(data)
      : dtype === "i32"
        ? Int32Array.from(data)
        : Uint8Array.from(data);
  return { dtype, dims: shape, data: values };
}
