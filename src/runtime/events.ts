/**
 * What TensorBoard reads: a file of events, one for each line of metrics.jsonl, in TFRecord framing. Numbers have the names
 * that they have there, as in the PyTorch target.
 * Field numbers: tensorflow/core/util/event.proto and framework/summary.proto; framing: tensorflow/core/lib/io/record_writer.h.
 */
import protobuf from "protobufjs/light.js";
import type { Metric } from "./metrics.ts";

const one = (type: string, id: number) => ({ type, id });
const root = protobuf.Root.fromJSON({
  nested: {
    Event: {
      fields: {
        wallTime: one("double", 1),
        step: one("int64", 2),
        fileVersion: one("string", 3),
        summary: one("Summary", 5),
      },
    },
    Summary: { fields: { value: { rule: "repeated", type: "Value", id: 1 } } },
    Value: { fields: { tag: one("string", 1), simpleValue: one("float", 2) } },
  },
});
const event = root.lookupType("Event");

/** The file's name in a run's folder: TensorBoard takes any that holds `tfevents`. */
export const eventsName = "events.out.tfevents.0.lipsc";

/** The first record of every file. `wallTime`: seconds since 1970. */
export function firstEvent(wallTime: number): Uint8Array {
  return framed(event.encode({ wallTime, fileVersion: "brain.Event:2" }).finish());
}

export function eventOf(metric: Metric, wallTime: number): Uint8Array {
  const value = scalarsOf(metric).map(([tag, simpleValue]) => ({ tag, simpleValue }));
  return framed(event.encode({ wallTime, step: metric.step, summary: { value } }).finish());
}

const aboutTheRun = new Set(["step", "epoch", "seconds"]);

function scalarsOf(metric: Metric): (readonly [tag: string, value: number])[] {
  const plain = Object.entries(metric).flatMap(([key, value]) =>
    typeof value === "number" && !aboutTheRun.has(key) ? [[key, value] as const] : [],
  );
  const reported = metric.kind === "epoch" ? (metric.reported ?? []) : [];
  return [
    ...plain,
    ...reported.map((figure) =>
      figure.kind === "observed_gain"
        ? ([`observed_gain/${figure.norm}`, figure.lower] as const)
        : ([`${figure.kind}/${figure.norm}/${figure.epsilon}`, figure.share] as const),
    ),
  ];
}

/** Length, its checksum, data, their checksum. */
function framed(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return record;
}

/** A checksum of data that hold checksums is weak: TFRecord rotates it and adds a constant. */
function masked(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected): RFC 3720, appendix B.4. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});
