/** TensorBoard's files: framing and numbers, read back without our writer; a resumed run tells each step once. */
import { mkdtempSync, readFileSync, appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import protobuf from "protobufjs/light.js";
import { describe, expect, it } from "vitest";
import { crc32c, eventsName } from "../../src/runtime/events.ts";
import { openMetrics, type Metric } from "../../src/runtime/metrics.ts";

const one = (type: string, id: number) => ({ type, id });
const event = protobuf.Root.fromJSON({
  nested: {
    Event: {
      fields: {
        wall: one("double", 1),
        step: one("int64", 2),
        version: one("string", 3),
        summary: one("Summary", 5),
      },
    },
    Summary: { fields: { value: { rule: "repeated", type: "Value", id: 1 } } },
    Value: { fields: { tag: one("string", 1), simple: one("float", 2) } },
  },
}).lookupType("Event");

interface Read {
  readonly version: string;
  readonly step: number;
  readonly wall: number;
  readonly summary: { readonly value: readonly { tag: string; simple: number }[] } | null;
}

/** Records as TFRecord's format says; a wrong checksum is an error. */
function recordsOf(path: string): Read[] {
  const bytes = readFileSync(path);
  const unmask = (masked: number): number => {
    const rotated = (masked - 0xa282ead8) >>> 0;
    return ((rotated >>> 17) | (rotated << 15)) >>> 0;
  };
  const records: Read[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(data));
    records.push(event.toObject(event.decode(data), { longs: Number, defaults: true }) as Read);
    at += length + 16;
  }
  return records;
}

const stepLine = (step: number): Metric => ({
  kind: "step",
  step,
  epoch: 1,
  loss: 2 / step,
  accuracy: 0.5,
  lr: 0.25,
  gradNorm: 4,
  seconds: step,
});

describe("events for TensorBoard", () => {
  it("checksums are CRC-32C (RFC 3720, B.4)", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  it("hold the numbers of metrics.jsonl under their names, and what is reported", () => {
    const folder = mkdtempSync(join(tmpdir(), "lipsc-events-"));
    const metrics = openMetrics(join(folder, "metrics.jsonl"), 0);
    if (!metrics.ok) throw new Error("not opened");
    metrics.value.append(stepLine(1));
    metrics.value.append({
      kind: "epoch",
      step: 2,
      epoch: 1,
      trainLoss: 1.5,
      trainAccuracy: 0.75,
      testLoss: null,
      testAccuracy: null,
      reported: [{ kind: "certified", norm: "l2", epsilon: 0.5, share: 0.25 }],
      seconds: 9,
    });
    const [first, step, epoch] = recordsOf(join(folder, eventsName));
    expect(first.version).toBe("brain.Event:2");
    expect(Math.abs(first.wall - Date.now() / 1000)).toBeLessThan(60);
    expect([step.step, epoch.step]).toEqual([1, 2]);
    const told = (read: Read) => Object.fromEntries(read.summary?.value.map((v) => [v.tag, v.simple]) ?? []);
    expect(told(step)).toEqual({ loss: 2, accuracy: 0.5, lr: 0.25, gradNorm: 4 });
    expect(told(epoch)).toEqual({ trainLoss: 1.5, trainAccuracy: 0.75, "certified/l2/0.5": 0.25 });
  });

  it("tell each step once after a kill, as metrics.jsonl does", () => {
    const folder = mkdtempSync(join(tmpdir(), "lipsc-events-"));
    const path = join(folder, "metrics.jsonl");
    const before = openMetrics(path, 0);
    if (!before.ok) throw new Error("not opened");
    for (const step of [1, 2, 3, 4]) before.value.append(stepLine(step));
    // Half a line and half a record, as a kill leaves them.
    appendFileSync(path, '{"kind":"step","st');
    appendFileSync(join(folder, eventsName), Uint8Array.of(40, 0, 0));
    const after = openMetrics(path, 2);
    if (!after.ok) throw new Error("not opened");
    for (const step of [3, 4, 5]) after.value.append(stepLine(step));
    const records = recordsOf(join(folder, eventsName)).slice(1);
    expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as Metric).step)).toEqual([1, 2, 3, 4, 5]);
    expect(records.every(({ wall }, i) => i === 0 || wall >= records[i - 1].wall)).toBe(true);
  });
});
