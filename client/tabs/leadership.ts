/**
 * Which tab has the socket: the one that holds a Web Lock. The browser gives it to the next one when a tab is closed or crashes.
 * A tab that is frozen keeps it; then another steals it, and the frozen one hears of that when it wakes up. Until then the term
 * tells them apart: it is written down with each change, and who finds a later one than its own does nothing any more.
 */

import type { Store } from "../storage";
import { VERSION } from "./channel";

export type Locks = Pick<LockManager, "request">;

export class Leadership {
  /** Somebody has stolen it. */
  lost: () => void = () => {};
  term = 0;

  private readonly name: string;
  private waiting?: AbortController;
  private letGo?: () => void;

  constructor(
    private readonly locks: Locks,
    private readonly store: Store,
    scope: string,
  ) {
    this.name = `${scope}.v${VERSION}.leader`;
  }

  /** Whether this tab holds it, as far as it knows. */
  get held(): boolean {
    return this.letGo !== undefined;
  }

  /** Whether nobody has come after this tab. */
  get reigns(): boolean {
    return this.held && this.latestTerm() <= this.term;
  }

  /** Takes it when it is free. */
  try(): Promise<boolean> {
    return this.request({ ifAvailable: true });
  }

  /** Takes it when its turn has come. */
  wait(): Promise<boolean> {
    this.waiting?.abort();
    this.waiting = new AbortController();
    return this.request({ signal: this.waiting.signal });
  }

  /** Takes it from whoever has it. */
  steal(): Promise<boolean> {
    return this.request({ steal: true });
  }

  release(): void {
    this.waiting?.abort();
    this.letGo?.();
    this.letGo = undefined;
  }

  /** Resolves with true once it is ours, with false when it will not be. */
  private request(options: LockOptions): Promise<boolean> {
    return new Promise((resolve) => {
      this.locks
        .request(this.name, options, (lock) => {
          if (!lock || this.held) return resolve(false);
          if (!options.signal) this.waiting?.abort();
          this.term = Math.max(Date.now(), this.latestTerm() + 1);
          this.store.set(this.name, this.term);
          return new Promise<void>((letGo) => {
            this.letGo = letGo;
            resolve(true);
          });
        })
        .catch(() => {
          resolve(false);
          // Stolen, unless it was the wait that ended.
          if (!this.held || options.signal?.aborted) return;
          this.letGo = undefined;
          this.lost();
        });
    });
  }

  private latestTerm(): number {
    return this.store.get<number>(this.name) ?? 0;
  }
}
