/** Web Locks and channels of a browser whose tabs can be killed, frozen and made deaf. They behave as the standard says, in one process. */

import type { Locks } from "./leadership";

type Said = { data: any };

interface Held {
  tab: string;
  release(): void;
  /** Ends the request with an AbortError. */
  abort(): void;
}

interface Wanted extends Held {
  grant(): void;
}

interface Listener {
  tab: string;
  name: string;
  onmessage: ((event: Said) => void) | null;
  late: any[];
}

export class FakeBrowser {
  private held = new Map<string, Held>();
  private queue = new Map<string, Wanted[]>();
  private listeners = new Set<Listener>();
  private frozen = new Map<string, (() => void)[]>();
  private dead = new Set<string>();
  private deafTab?: string;
  private muted = false;
  private letters: [string, any][] = [];
  /** Whose code runs: a channel belongs to the tab that was opened last. */
  private current = "";

  readonly Channel: typeof BroadcastChannel;

  constructor() {
    const browser = this;
    this.Channel = class {
      private readonly me: Listener;

      constructor(readonly name: string) {
        this.me = { tab: browser.current, name, onmessage: null, late: [] };
        browser.listeners.add(this.me);
      }

      set onmessage(listener: (event: Said) => void) {
        this.me.onmessage = listener;
      }

      postMessage(data: unknown) {
        browser.say(this.me, structuredClone(data));
      }

      close() {
        browser.listeners.delete(this.me);
      }
    } as unknown as typeof BroadcastChannel;
  }

  tab(name: string): { locks: Locks } {
    this.current = name;
    return { locks: { request: (lock: string, ...rest: any[]) => this.request(name, lock, rest) } as Locks };
  }

  /** As a crash: its locks are free, and nobody hears from it. */
  kill(tab: string): void {
    this.dead.add(tab);
    for (const [name, { tab: holder }] of [...this.held]) if (holder === tab) this.free(name);
    for (const wanted of this.queue.values()) wanted.splice(0, wanted.length, ...wanted.filter((one) => one.tab !== tab));
  }

  /** It hears nothing, and learns late that its locks were stolen. */
  freeze(tab: string): void {
    this.frozen.set(tab, []);
  }

  wake(tab: string): void {
    const late = this.frozen.get(tab) ?? [];
    this.frozen.delete(tab);
    for (const one of late) one();
  }

  /** What is said meanwhile never reaches this tab. */
  deaf(tab: string, meanwhile: () => void): void {
    this.deafTab = tab;
    meanwhile();
    this.deafTab = undefined;
  }

  mute(): void {
    this.muted = true;
  }

  /** All letters so far are said once more. */
  repeatLetters(): void {
    for (const [name, data] of [...this.letters]) this.say({ tab: "", name, onmessage: null, late: [] }, data);
  }

  private say(from: Listener, data: any): void {
    if (this.muted) return;
    // Timers of a killed or frozen tab still run in a test.
    this.run(from.tab, () => this.deliver(from, data));
  }

  private deliver(from: Listener, data: any): void {
    if (data.m === "letter") this.letters.push([from.name, data]);
    const deaf = this.deafTab;
    for (const to of this.listeners) {
      if (to === from || to.name !== from.name || to.tab === deaf) continue;
      queueMicrotask(() => this.run(to.tab, () => to.onmessage?.({ data: structuredClone(data) })));
    }
  }

  /** Now, when the tab wakes up, or never. */
  private run(tab: string, what: () => void): void {
    if (this.dead.has(tab)) return;
    const late = this.frozen.get(tab);
    if (late) late.push(what);
    else what();
  }

  private request(tab: string, name: string, rest: any[]): Promise<unknown> {
    return new Promise((resolve, reject) => this.run(tab, () => this.ask(tab, name, rest).then(resolve, reject)));
  }

  private ask(tab: string, name: string, rest: any[]): Promise<unknown> {
    const callback = rest.pop() as (lock: object | null) => Promise<unknown> | unknown;
    const { ifAvailable, steal, signal } = (rest[0] ?? {}) as LockOptions;
    return new Promise((resolve, reject) => {
      const fail = () => this.run(tab, () => reject(new DOMException("", "AbortError")));
      const wanted: Wanted = {
        tab,
        abort: fail,
        release: resolve as () => void,
        grant: () => {
          this.held.set(name, wanted);
          this.run(tab, () => {
            void Promise.resolve(callback({})).then(() => {
              if (this.held.get(name) === wanted) this.free(name);
              resolve(undefined);
            });
          });
        },
      };
      if (steal) {
        this.held.get(name)?.abort();
        return queueMicrotask(wanted.grant);
      }
      if (!this.held.has(name)) return wanted.grant();
      if (ifAvailable) return void Promise.resolve(callback(null)).then(resolve);
      const waiting = this.queue.get(name) ?? [];
      this.queue.set(name, waiting);
      waiting.push(wanted);
      signal?.addEventListener("abort", () => {
        const at = waiting.indexOf(wanted);
        if (at < 0) return;
        waiting.splice(at, 1);
        fail();
      });
    });
  }

  private free(name: string): void {
    this.held.delete(name);
    this.queue.get(name)?.shift()?.grant();
  }
}
