/** Progress that one can see: one live line on a terminal, plain lines at intervals without one. */
import type { createLogUpdate } from "log-update";
import type { Evaluation } from "./evaluate.ts";

export interface Tick {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly lr: number;
  readonly gradNorm: number;
  readonly samplesPerSecond: number;
  readonly secondsLeft: number;
}

export interface EpochSummary {
  readonly epoch: number;
  readonly epochs: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly test: Evaluation | null;
  /** Further figures of the test set, each a piece of text. */
  readonly reported?: readonly string[];
  readonly seconds: number;
}

export interface Progress {
  tick(tick: Tick): void;
  /** A line that stays. */
  line(text: string): void;
  done(): void;
}

/** Whether a line can be written over: a terminal, and none that says it is a plain one (Emacs' shell, some CI). */
export function isLive(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && process.env.TERM !== "dumb";
}

/** Seconds between plain lines where there is no terminal. */
const interval = 10;
/** Characters of the widest bar. */
const bar = 20;

/** `n` of `of`, as wide for every n. */
function part(name: string, n: number, of: number): string {
  return `${name} ${String(n).padStart(String(of).length)}/${of}`;
}

interface Part {
  readonly text: string;
  /** In a narrow terminal. */
  readonly short?: string;
  /** What still doesn't fit goes, the lightest first. */
  readonly weight: number;
}

function partsOf(t: Tick): Part[] {
  const speed = t.samplesPerSecond.toFixed(t.samplesPerSecond < 10 ? 1 : 0);
  return [
    { text: part("epoch", t.epoch, t.epochs), weight: 5 },
    { text: part("step", t.step, t.steps), weight: 1 },
    { text: `loss ${t.loss.toFixed(4)}`, weight: 6 },
    { text: `acc ${(100 * t.accuracy).toFixed(1).padStart(5)} %`, weight: 6 },
    { text: `lr ${t.lr.toExponential(2)}`, short: `lr ${t.lr.toExponential(1)}`, weight: 3 },
    { text: `|g| ${showNorm(t.gradNorm)}`, weight: 2 },
    { text: `${speed} samples/s`, short: `${speed}/s`, weight: 4 },
    { text: `ETA ${formatSeconds(t.secondsLeft)}`, weight: 7 },
  ];
}

/** Three digits, as wide for 0.00123 as for 12300. */
function showNorm(x: number): string {
  return x !== 0 && (x < 0.01 || x >= 1000) ? x.toExponential(1) : x.toPrecision(3);
}

export function formatTick(t: Tick): string {
  return partsOf(t)
    .map(({ text }) => text)
    .join("  ");
}

/** A bar and as many parts of the tick as fit into so many columns. */
export function formatLive(t: Tick, columns: number): string {
  let parts = partsOf(t);
  const line = (): string => parts.map(({ text }) => text).join("  ");
  const lightest = (): number => Math.min(...parts.map(({ weight }) => weight));
  // The step goes first: the bar and the epoch say much the same.
  if (line().length > columns) parts = parts.filter(({ weight }) => weight > lightest());
  if (line().length > columns)
    parts = parts.map(({ text, short, weight }) => ({ text: short ?? text, weight }));
  while (parts.length > 1 && line().length > columns)
    parts = parts.filter(({ weight }) => weight > lightest());
  const room = Math.min(bar, columns - line().length - 2);
  if (room < 5) return line().slice(0, columns);
  const filled = Math.round(room * (t.steps === 0 ? 1 : t.step / t.steps));
  return `${"█".repeat(filled).padEnd(room, "░")}  ${line()}`;
}

export function formatEpoch(e: EpochSummary): string {
  const figures = (loss: number, accuracy: number): string =>
    `loss ${loss.toFixed(4)}  acc ${(100 * accuracy).toFixed(1)} %`;
  return [
    `${part("epoch", e.epoch, e.epochs)}  train ${figures(e.trainLoss, e.trainAccuracy)}`,
    ...(e.test ? [`test ${figures(e.test.loss, e.test.accuracy)}`] : []),
    ...(e.reported ?? []),
    formatSeconds(e.seconds),
  ].join(" │ ");
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  const clock = `${Math.floor((s % 3600) / 60)}:${String(s % 60).padStart(2, "0")}`;
  return s < 3600 ? clock : `${Math.floor(s / 3600)}:${clock.padStart(5, "0")}`;
}

/** Live on a terminal of `stream`, plain otherwise; `write` gets whole lines. */
export async function openProgress(stream: NodeJS.WriteStream): Promise<Progress> {
  // Some terminals say that they have no rows; a live line would show nothing there.
  if (isLive(stream) && stream.rows !== 0) {
    const { createLogUpdate } = await import("log-update");
    return live(createLogUpdate(stream), (line) => stream.write(line + "\n"), stream);
  }
  return plain((line) => stream.write(line + "\n"));
}

function live(
  update: ReturnType<typeof createLogUpdate>,
  write: (line: string) => void,
  stream: NodeJS.WriteStream,
): Progress {
  return {
    // The last column stays free: some terminals wrap when it is written.
    tick: (t) => update(formatLive(t, Math.max(40, (stream.columns || 80) - 1))),
    line: (text) => {
      update.clear();
      write(text);
    },
    done: () => {
      update.clear();
      // Gives the cursor back.
      update.done();
    },
  };
}

function plain(write: (line: string) => void): Progress {
  let last = performance.now();
  return {
    tick: (t) => {
      const now = performance.now();
      if ((now - last) / 1000 < interval) return;
      last = now;
      write(formatTick(t));
    },
    line: write,
    done: () => undefined,
  };
}
