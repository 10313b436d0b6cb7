/** The tab that has the socket. It tells the others everything the socket tells, and sends what they write. */

import { SUPERSEDED } from "../close_codes";
import type { Letter, OutboxItem } from "../outbox";
import type { ChatCommand, Query, Welcome } from "../protocol";
import { ChatSocket, CommandError, type Line, type SocketEvents, type SocketOptions } from "../socket";
import type { Channel, FromFollower, Shared, Told } from "./channel";
import type { Letters } from "./letters";

/** What the other tabs hear of; `items` is told apart, once for everything that came in one turn. */
export const TOLD = [
  "status", "welcome", "page", "missing", "frame", "acked", "failed", "renumbered", "takenBack", "opened", "stale", "device",
] as const satisfies readonly (keyof SocketEvents)[];

export interface LeaderOptions extends Omit<SocketOptions, "events"> {
  channel: Channel;
  letters: Letters;
  term: number;
  /** Whether no other tab has come after this one. */
  reigns(): boolean;
  /** The tab's own chats. */
  events: SocketEvents;
  /** One has. */
  deposed(): void;
}

/** This tab, among those that want a chat or a topic. */
const HERE = "";

export class Leader {
  readonly socket: ChatSocket;

  private count = 0;
  private over = false;
  private itemsDue = false;
  private welcome?: Welcome;
  private skew = 0;
  /** Which tabs are attached to a chat, or watch a topic. */
  private wanted = new Map<string, Set<string>>();

  constructor(private readonly options: LeaderOptions) {
    const { store, channel } = options;
    // With a later leader around, nothing of ours may go over what that one has written.
    const fenced = { ...store, set: (key: string, value: unknown) => this.reigns() && store.set(key, value) };
    this.socket = new ChatSocket({ ...options, store: fenced, events: this.events() });
    this.socket.outbox.changed = () => this.tellItems();
    channel.onfollower = (said) => this.hear(said);
    channel.onleader = () => this.reigns();
  }

  /** Goes on from what the tab before had told, and sends the letters that it left. */
  begin(before: Shared, letters: readonly Letter[]): void {
    if (before.device === this.socket.device) this.socket.outbox.adopt(before.items);
    for (const letter of letters) this.take(letter);
    this.tell({ m: "here", shared: this.shared() });
  }

  /** False once another tab has come after this one: nothing must be given to this one any more. */
  reigns(): boolean {
    if (this.over) return false;
    if (this.options.reigns()) return true;
    this.options.deposed();
    return false;
  }

  /** Hands over: nothing is said or written from now on. */
  end(): void {
    this.over = true;
    this.options.channel.onfollower = () => {};
    this.socket.outbox.changed = () => {};
    this.socket.stop();
  }

  shared(): Shared {
    const { device, limits, status } = this.socket;
    const welcome = this.welcome && { ...this.welcome, now: Date.now() + this.skew };
    return { device, limits, status, items: this.socket.items(), welcome };
  }

  // ---- the tab's own line --------------------------------------------------------------------------------------------------

  ask(query: Query): ReturnType<Line["ask"]> {
    return this.want(query, HERE) ? this.socket.ask(query) : Promise.resolve();
  }

  post(command: ChatCommand, chat?: string): OutboxItem {
    if (command.op === "take_chat") this.wants(String(command.ticket)).add(HERE);
    return this.socket.post(command, chat).item;
  }

  read(ticket: number, seq: number): boolean {
    return this.socket.read(ticket, seq);
  }

  clear(): void {
    for (const { key } of this.options.letters.all()) this.options.letters.remove(key);
    this.socket.clear();
  }

  // ---- to the other tabs ---------------------------------------------------------------------------------------------------

  private events(): SocketEvents {
    const { events } = this.options;
    const all: Record<string, (...args: any[]) => void> = {};
    for (const name of TOLD) {
      all[name] = (...args) => {
        if (this.over) return;
        if (name === "welcome") this.remember(args[0]);
        // The server has a newer connection of this device: most likely that of the tab that came after this one.
        if (name === "status" && args[0].phase === "stopped" && args[0].code === SUPERSEDED && !this.reigns()) return;
        (events[name] as ((...args: any[]) => void) | undefined)?.(...args);
        this.tell({ m: "event", name, args: name === "welcome" ? [{ ...args[0], chats: [] }] : args });
      };
    }
    return all;
  }

  private remember(welcome: Welcome): void {
    this.welcome = { ...welcome, chats: [] };
    this.skew = welcome.now - Date.now();
    this.wanted.clear(); // everybody attaches again
    for (const { ticket } of welcome.chats) this.wants(String(ticket)).add(HERE);
  }

  private tell(told: Told): void {
    if (this.over) return;
    if (told.m === "event") this.count += 1;
    this.options.channel.tell({ ...told, term: this.options.term, count: this.count });
  }

  private tellItems(): void {
    if (this.itemsDue) return;
    this.itemsDue = true;
    queueMicrotask(() => {
      this.itemsDue = false;
      if (this.over) return;
      const items = this.socket.items();
      this.options.events.items?.(items);
      this.tell({ m: "event", name: "items", args: [items] });
    });
  }

  // ---- from the other tabs -------------------------------------------------------------------------------------------------

  private hear(said: FromFollower): void {
    if (!this.reigns()) return;
    const { socket } = this;
    switch (said.m) {
      case "join":
        return this.tell({ m: "here", to: said.from, shared: this.shared() });
      case "ping":
        socket.catchUp();
        return this.tell({ m: "pong", to: said.from });
      case "leave":
        for (const tabs of this.wanted.values()) tabs.delete(said.from);
        return;
      case "ask":
        return void this.askFor(said.from, said.id, said.query);
      case "read":
        return void socket.read(said.ticket, said.seq);
      case "typing":
        return socket.typing(said.ticket);
      case "letter":
        if (said.letter.command.op === "take_chat") this.wants(said.letter.chat).add(said.from);
        if (!this.take(said.letter)) this.tell({ m: "known", to: said.from, key: said.letter.key });
        return;
      case "remove":
        return void socket.remove(said.key);
      case "clear":
        return this.clear();
      case "wake":
        return socket.wake();
      case "start":
        return socket.start();
    }
  }

  /** False when it was taken before and is done. */
  private take(letter: Letter): boolean {
    const { outbox } = this.socket;
    const item = outbox.take(letter) ?? outbox.find(letter.key);
    this.options.letters.remove(letter.key);
    if (item) this.tellItems(); // also when it was known: who wrote it has not heard that we have it
    this.socket.flush();
    return item !== undefined;
  }

  private async askFor(from: string, id: number, query: Query): Promise<void> {
    try {
      if (this.want(query, from)) await this.socket.ask(query);
      this.tell({ m: "answer", to: from, id });
    } catch (error) {
      const refusal = error instanceof CommandError ? { error: error.frame } : { lost: true };
      this.tell({ m: "answer", to: from, id, ...refusal });
    }
  }

  /** False when the question is settled among ourselves: another tab still wants what this one is done with. */
  private want(query: Query, tab: string): boolean {
    const name = "topic" in query ? query.topic : String(query.ticket);
    const tabs = this.wants(name);
    if (query.op === "attach" || query.op === "watch") tabs.add(tab);
    if (query.op !== "detach" && query.op !== "unwatch") return true;
    tabs.delete(tab);
    return tabs.size === 0;
  }

  private wants(name: string): Set<string> {
    const tabs = this.wanted.get(name) ?? new Set();
    this.wanted.set(name, tabs);
    return tabs;
  }
}
