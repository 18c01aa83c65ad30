/** How far a long count of things has come: one line that is written over; a line now and then without a terminal. */
import { formatSeconds, isLive } from "../runtime/progress.ts";

/** Seconds between plain lines where there is no terminal. */
const interval = 10;

/** `shown`: whether plain lines may appear at all (a terminal's own line always may). */
export function countedProgress(
  stream: NodeJS.WriteStream,
  noun: string,
  shown: boolean,
): (done: number, of: number) => void {
  const began = performance.now();
  let last = began;
  return (done, of) => {
    const now = performance.now();
    const left = done === 0 ? NaN : ((now - began) / 1000 / done) * (of - done);
    const line = `${done}/${of} ${noun}  ETA ${formatSeconds(left)}`;
    if (isLive(stream)) stream.write(done === of ? "\r\u001b[K" : `\r${line}\u001b[K`);
    else if (shown && done < of && (now - last) / 1000 >= interval) {
      last = now;
      stream.write(line + "\n");
    }
  };
}
