import { describe, expect, test } from "vitest";
import type { Engine, HostTensor } from "../../src/runtime/engine.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { openOrtWeb } from "../../src/runtime/engines/onnxruntime-web.ts";
import { openReference } from "../../src/runtime/engines/reference.ts";
import { buildNetwork } from "./network.ts";
import { expectClose, valueOf } from "./support.ts";

const network = buildNetwork();
const names = Object.keys(network.state);
const steps = 10;

async function train(engine: Engine): Promise<{ state: Record<string, HostTensor>; losses: number[] }> {
  const session = valueOf(await engine.open(network.graph, { carry: names }));
  await session.write(network.state);
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++)
    losses.push((await session.run(network.feeds(step))).loss.data[0]);
  const state = await session.read();
  await session.release();
  return { state, losses };
}

const reference = await train(valueOf(await openReference()));

describe.each([
  { name: "onnxruntime-node", open: openOrtNode },
  { name: "onnxruntime-web", open: openOrtWeb },
])("$name", ({ open }) => {
  test("ten steps of AdamW give the interpreter's parameters and moments", async () => {
    const { state, losses } = await train(valueOf(await open({ threads: 2 })));
    losses.forEach((loss, i) => expect(Math.abs(loss - reference.losses[i])).toBeLessThan(1e-4));
    for (const name of names) {
      const { dims, data } = reference.state[name];
      expectClose(state[name], { shape: dims, data: Float64Array.from(data) }, 1e-3);
    }
  });

  test("the same run twice gives the same bits", async () => {
    const engine = valueOf(await open({ threads: 2 }));
    const [first, second] = [await train(engine), await train(engine)];
    expect(second.losses).toEqual(first.losses);
    for (const name of names) expect(second.state[name].data).toEqual(first.state[name].data);
  });

  test("state that is handed over by the caller gives the same bits as state that is carried", async () => {
    const engine = valueOf(await open({ threads: 2 }));
    const carried = await train(engine);
    const session = valueOf(await engine.open(network.graph));
    let state = network.state;
    for (let step = 1; step <= steps; step++) {
      const outputs = await session.run({ ...network.feeds(step), ...state });
      state = Object.fromEntries(names.map((name) => [name, outputs[name]]));
    }
    await session.release();
    for (const name of names) expect(state[name].data).toEqual(carried.state[name].data);
  });
});

test("training moves the loss", () => {
  expect(reference.losses[steps - 1]).not.toBe(reference.losses[0]);
  for (const name of names) expect(reference.state[name].data.every((x) => Number.isFinite(x))).toBe(true);
});
