/** A tab that has no socket: it hears what the tab with the socket tells, and writes by letters to it. */

import type { SocketStatus } from "../connection";
import { chatName, type Letter, type OutboxItem, withoutTicket } from "../outbox";
import type { ChatCommand, Query } from "../protocol";
import { randomId } from "../random";
import { CommandError, ConnectionLostError, LIMITS, type SocketEvents } from "../socket";
import { type Channel, type FromLeader, PATIENCE_MS, type Shared } from "./channel";
import type { Letters } from "./letters";

export interface FollowerOptions {
  tab: string;
  channel: Channel;
  letters: Letters;
  events: SocketEvents;
  /** The tab with the socket has said how things are. */
  joined(): void;
  /** It does not answer. */
  silent(): void;
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** How often somebody who looks at this tab asks whether the other one is still there. */
const PING_MS = 5_000;

export class Follower {
  /** The last known; without a leader there is no connection. */
  shared: Shared;
  /** Whether any leader was ever heard. */
  heard = false;

  private term = 0;
  private count = 0;
  private askedAt = 0;
  private writtenAt = 0;
  private questionId = 0;
  private questions = new Map<number, Waiting>();
  /** Written here and not in the outbox of the tab with the socket yet. */
  private letters = new Map<string, OutboxItem>();
  private patience?: ReturnType<typeof setTimeout>;
  private pings?: ReturnType<typeof setInterval>;
  private due?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly options: FollowerOptions,
    before?: Shared,
  ) {
    this.shared = before ?? { device: "", limits: LIMITS, status: { phase: "connecting", tries: 0 }, items: [] };
    options.channel.onleader = (said) => this.hear(said);
    options.channel.onfollower = () => {};
    this.pings = setInterval(this.ping, PING_MS);
    document.addEventListener("visibilitychange", this.ping);
  }

  /** Asks the tab with the socket how things are. */
  join(): void {
    this.say({ m: "join" });
  }

  /** What was written here and is in no outbox yet. */
  unsent(): Letter[] {
    return [...this.letters.values()].map(({ n: _, ...letter }) => letter);
  }

  end(): void {
    clearTimeout(this.patience);
    clearInterval(this.pings);
    clearTimeout(this.due);
    document.removeEventListener("visibilitychange", this.ping);
    this.options.channel.onleader = () => {};
    this.loseQuestions();
  }

  // ---- the tab's own line --------------------------------------------------------------------------------------------------

  items(): readonly OutboxItem[] {
    const { items } = this.shared;
    const letters = [...this.letters.values()].filter(({ key }) => !items.some((item) => item.key === key));
    return letters.length ? [...items, ...letters] : items;
  }

  ask(query: Query): Promise<unknown> {
    if (this.shared.status.phase !== "online") return Promise.reject(new ConnectionLostError());
    const id = ++this.questionId;
    this.say({ m: "ask", id, query });
    return new Promise<void>((resolve, reject) => this.questions.set(id, { resolve, reject }));
  }

  post(command: ChatCommand, chat = chatName(command)): OutboxItem {
    this.writtenAt = Math.max(Date.now(), this.writtenAt + 1); // letters are read in the order of their times, also when clocks jump
    const letter = { key: randomId(), chat, at: this.writtenAt, command: withoutTicket(command) };
    const item: OutboxItem = { ...letter, n: 0 };
    this.options.letters.put(letter);
    this.letters.set(letter.key, item);
    this.say({ m: "letter", letter });
    return item;
  }

  read(ticket: number, seq: number): boolean {
    if (this.shared.status.phase !== "online") return false;
    this.options.channel.ask({ m: "read", ticket, seq });
    return true;
  }

  // ---- the tab with the socket ---------------------------------------------------------------------------------------------

  /** Says something that is answered; who does not answer is not there any more. */
  private say(asked: Parameters<Channel["ask"]>[0]): void {
    this.options.channel.ask(asked);
    if (this.patience !== undefined) return;
    this.askedAt = Date.now();
    this.patience = setTimeout(() => {
      this.patience = undefined;
      // This tab itself was asleep, and the answer may lie before it.
      if (Date.now() - this.askedAt > 2 * PATIENCE_MS) return this.say({ m: "ping" });
      this.options.silent();
    }, PATIENCE_MS);
  }

  private readonly ping = (): void => {
    if (document.visibilityState === "visible") this.say({ m: "ping" });
  };

  private hear(said: FromLeader): void {
    if (said.term < this.term) return; // one that has been deposed and does not know it yet
    clearTimeout(this.patience);
    this.patience = undefined;
    this.heard = true;
    if (said.term > this.term && said.m !== "here") {
      this.term = said.term;
      return this.say({ m: "join" });
    }
    const { tab } = this.options;
    if ("to" in said && said.to !== undefined && said.to !== tab) return;
    switch (said.m) {
      case "here":
        return this.takeShared(said);
      case "event":
        if (said.count !== this.count + 1) return this.say({ m: "join" });
        this.count = said.count;
        return this.takeEvent(said.name, said.args);
      case "pong":
        if (said.count !== this.count) this.say({ m: "join" });
        return;
      case "answer": {
        const question = this.questions.get(said.id);
        this.questions.delete(said.id);
        if (said.error) question?.reject(new CommandError(said.error.code, said.error.message, said.error));
        else if (said.lost) question?.reject(new ConnectionLostError());
        else question?.resolve();
        return;
      }
      case "known":
        this.options.letters.remove(said.key);
        this.letters.delete(said.key);
        return this.options.events.items?.(this.items());
    }
  }

  /** Goes on from where the tab with the socket is, whatever was missed. */
  private takeShared({ shared, term, count }: FromLeader & { m: "here" }): void {
    const { events } = this.options;
    const { device } = this.shared;
    this.term = term;
    this.count = count;
    this.shared = shared;
    this.loseQuestions();
    this.takeLetters();
    for (const letter of this.unsent()) this.say({ m: "letter", letter });
    if (device !== shared.device) events.device?.(shared.device);
    events.items?.(this.items());
    events.status?.(shared.status);
    if (shared.welcome && shared.status.phase === "online") events.welcome?.(shared.welcome);
    this.options.joined();
  }

  private takeEvent(name: keyof SocketEvents, args: any[]): void {
    const { events } = this.options;
    if (name === "status") this.takeStatus(args[0]);
    if (name === "device") this.shared = { ...this.shared, device: args[0] };
    if (name === "welcome") this.shared = { ...this.shared, welcome: args[0], limits: { ...this.shared.limits, ...args[0].limits } };
    if (name === "items") {
      this.shared = { ...this.shared, items: args[0] };
      this.takeLetters();
      return events.items?.(this.items());
    }
    (events[name] as ((...args: any[]) => void) | undefined)?.(...args);
  }

  private takeStatus(status: SocketStatus): void {
    this.shared = { ...this.shared, status };
    clearTimeout(this.due);
    // The other tab may be hidden, and its timer late.
    if (status.phase === "waiting") this.due = setTimeout(this.ping, status.retryAt - Date.now());
  }

  /** What is in the other tab's outbox is no letter any more. */
  private takeLetters(): void {
    for (const { key } of this.shared.items) {
      if (this.letters.delete(key)) this.options.letters.remove(key);
    }
  }

  private loseQuestions(): void {
    for (const { reject } of this.questions.values()) reject(new ConnectionLostError());
    this.questions.clear();
  }
}
