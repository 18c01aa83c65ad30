/** Progress that one can see: one live line on a terminal, plain lines at intervals without one. */
import type { createLogUpdate } from "log-update";

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

export interface Progress {
  tick(tick: Tick): void;
  /** A line that stays. */
  line(text: string): void;
  done(): void;
}

/** Seconds between plain lines where there is no terminal. */
const interval = 10;

export function formatTick(t: Tick): string {
  return [
    `epoch ${String(t.epoch).padStart(String(t.epochs).length)}/${t.epochs}`,
    `step ${String(t.step).padStart(String(t.steps).length)}/${t.steps}`,
    `loss ${t.loss.toFixed(4)}`,
    `acc ${(100 * t.accuracy).toFixed(1).padStart(5)} %`,
    `lr ${t.lr.toExponential(2)}`,
    `|g| ${t.gradNorm.toPrecision(3)}`,
    `${t.samplesPerSecond.toFixed(0)} samples/s`,
    `ETA ${formatSeconds(t.secondsLeft)}`,
  ].join("  ");
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  const clock = `${Math.floor((s % 3600) / 60)}:${String(s % 60).padStart(2, "0")}`;
  return s < 3600 ? clock : `${Math.floor(s / 3600)}:${clock.padStart(5, "0")}`;
}

/** Live on a terminal of `stream`, plain otherwise; `write` gets whole lines. */
export async function openProgress(stream: NodeJS.WriteStream): Promise<Progress> {
  if (stream.isTTY) {
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
    tick: (t) => {
      const share = t.steps === 0 ? 1 : t.step / t.steps;
      const bar = "█".repeat(Math.round(20 * share)).padEnd(20, "░");
      update(`${bar}  ${formatTick(t)}`.slice(0, Math.max(40, (stream.columns ?? 120) - 1)));
    },
    line: (text) => {
      update.clear();
      write(text);
    },
    done: () => update.clear(),
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
