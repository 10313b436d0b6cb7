/** Commands that a tab without the socket has written: in the store until the tab that has it has taken them into its outbox. */

import type { Letter } from "../outbox";
import type { Store } from "../storage";

export class Letters {
  private readonly prefix: string;

  constructor(
    private readonly store: Store,
    scope: string,
  ) {
    this.prefix = `${scope}.letter.`;
  }

  put(letter: Letter): void {
    this.store.set(this.prefix + letter.key, letter);
  }

  remove(key: string): void {
    this.store.remove(this.prefix + key);
  }

  /** In the order in which they were written. */
  all(): Letter[] {
    const letters = this.store.keys(this.prefix).map((key) => this.store.get<Letter>(key));
    return letters.filter((letter) => letter !== undefined).sort((a, b) => a.at - b.at);
  }
}
