/** How far a long list of files has come, in a line that is written over; nothing where there is no terminal. */
import type { OnListing } from "../runtime/data/imagenet.ts";
import { isLive } from "../runtime/progress.ts";

/** Milliseconds between two looks at the clock's hand; a list that is done sooner is never spoken of. */
const interval = 300;

export function listing(stream: NodeJS.WriteStream): OnListing {
  let last = performance.now();
  let shown = false;
  return (part, done, of) => {
    if (!isLive(stream)) return;
    const now = performance.now();
    if (done === of && shown) stream.write("\r\u001b[K");
    if (done === of) shown = false;
    else if (now - last >= interval) {
      last = now;
      shown = true;
      stream.write(`\rlisting ${part}: ${done} of ${of} classes\u001b[K`);
    }
  };
}
