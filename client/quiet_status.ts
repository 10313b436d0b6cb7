/** What to show of the connection: trouble that is over after 1.5 s was never worth a word. */

import type { SocketStatus } from "./connection";

const QUIET_MS = 1_500;

export class QuietStatus {
  shown: SocketStatus = { phase: "idle" };

  private latest = this.shown;
  private timer?: ReturnType<typeof setTimeout>;

  /** `changed` is called when something is to be shown that nothing has happened for just now. */
  constructor(private readonly changed: () => void) {}

  take(status: SocketStatus): void {
    this.latest = status;
    if (!isPassing(status)) {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.shown = status;
    } else if (isPassing(this.shown)) {
      this.shown = status; // it is told already: tell how it goes on
    } else {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.shown = this.latest;
        this.changed();
      }, QUIET_MS);
    }
  }
}

const isPassing = ({ phase }: SocketStatus): boolean => phase === "connecting" || phase === "waiting";
