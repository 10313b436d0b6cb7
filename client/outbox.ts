/**
 * The commands of one device that are not durable yet, in order, with the numbers (`n`) they were sent under. Written to storage
 * with every change, so a reload or a killed page sends them again; pure otherwise, the socket asks `nextToSend` and reports
 * answers.
 *
 * A chat is named by its `chat_key` until the ticket is known, then by the ticket.
 */

import type { ChatCommand, Entry, ErrorCode, OpenChat } from "./protocol";
import { randomId } from "./random";
import type { Store } from "./storage";

type WithoutTicket<C> = C extends OpenChat ? C : Omit<C, "ticket">;

export interface OutboxItem {
  key: string;
  chat: string;
  n: number;
  at: number;
  command: WithoutTicket<ChatCommand>;
  /** Where the entry stands in the log, once it was acknowledged. */
  acked?: { epoch: number; seq: number };
  /** Why the server refused it. It has no number any more and waits for its author, who sends it again or takes it away. */
  refused?: ErrorCode;
}

interface Record_ {
  items: OutboxItem[];
  /** The last `n` given, by chat. */
  last: Record<string, number>;
}

/** As many commands on their way are enough: then nothing more can be written until some have arrived. */
const FULL = 100;
/** What is taken away without a word when it was refused: nobody can see that it is there. */
const UNSEEN: readonly ChatCommand["op"][] = ["take_chat", "close_chat", "rate_chat"];
/** Chats whose counters are kept after their last command. A forgotten chat is long closed. */
const CHATS_KEPT = 200;

export const chatName = (command: ChatCommand): string => (command.op === "open_chat" ? command.chat_key : String(command.ticket));

export class Outbox {
  private items: OutboxItem[];
  private last: Record<string, number>;

  constructor(
    private readonly store: Store,
    private readonly storeKey: string,
  ) {
    const { items = [], last = {} } = store.get<Record_>(storeKey) ?? {};
    this.items = items;
    this.last = last;
  }

  all(): readonly OutboxItem[] {
    return this.items;
  }

  of(chat: string): OutboxItem[] {
    return this.items.filter((item) => item.chat === chat);
  }

  find(key: string): OutboxItem | undefined {
    return this.items.find((item) => item.key === key);
  }

  get full(): boolean {
    return this.items.filter((item) => !item.acked && !item.refused).length >= FULL;
  }

  add(command: ChatCommand, chat = chatName(command), at = Date.now()): OutboxItem {
    const n = (this.last[chat] ?? 0) + 1;
    const { ticket: _, ...rest } = command as ChatCommand & { ticket?: number };
    const item: OutboxItem = { key: randomId(), chat, n, at, command: rest as OutboxItem["command"] };
    delete this.last[chat]; // the chat moves to the end: the oldest are forgotten first
    this.last[chat] = n;
    this.items.push(item);
    this.save();
    return item;
  }

  /** An ack, or our own entry after the ack was lost. */
  acked(item: OutboxItem, epoch: number, seq: number): void {
    item.acked = { epoch, seq };
    this.save();
  }

  /** The ticket of `open_chat` is known: from now on the chat has its name. */
  named(chatKey: string, ticket: number, claim?: string): void {
    for (const item of this.items) {
      if (item.chat !== chatKey) continue;
      item.chat = String(ticket);
      if (item.command.op === "open_chat" && claim) item.command = { ...item.command, claim };
    }
    const last = this.last[chatKey];
    if (last !== undefined) {
      delete this.last[chatKey];
      this.last[ticket] = Math.max(last, this.last[ticket] ?? 0);
    }
    this.save();
  }

  /** An entry of the log that this device wrote is as good as an ack. */
  seen(entry: Entry, device: string): void {
    if (entry.device !== device) return;
    const item = this.items.find((one) => one.chat === String(entry.ticket) && one.n === entry.n && !one.refused);
    if (item) this.acked(item, entry.epoch, entry.seq);
  }

  durable(ticket: number, epoch: number, seq: number): void {
    const before = this.items.length;
    this.items = this.items.filter(
      ({ chat, acked }) => !(chat === String(ticket) && acked && acked.epoch === epoch && acked.seq <= seq),
    );
    if (this.items.length !== before) this.save();
  }

  /** The server lost the newest entries of a chat: what was not durable is to be sent again. */
  reset(ticket: number): void {
    for (const item of this.of(String(ticket))) item.acked = undefined;
    this.save();
  }

  /**
   * The server executed commands only up to `lastN`: what we hold beyond it goes out again, numbered from `lastN` + 1.
   * Returns the items whose number changed.
   */
  goBack(chat: string, lastN: number): OutboxItem[] {
    const items = this.of(chat);
    for (const item of items) if (item.acked && item.n > lastN) item.acked = undefined;
    return this.renumber(chat, lastN);
  }

  /**
   * The server refused a command: its number goes to the next one. Returns the items that are refused with it, as without a chat
   * there is nothing to send to, and those whose number changed.
   */
  refused(item: OutboxItem, code: ErrorCode): { refused: OutboxItem[]; renumbered: OutboxItem[] } {
    const opens = item.command.op === "open_chat";
    const refused = opens ? this.of(item.chat).filter((one) => !one.refused) : [item];
    for (const one of refused) one.refused = code;
    this.items = this.items.filter((one) => !one.refused || !UNSEEN.includes(one.command.op));
    if (!opens) return { refused, renumbered: this.renumber(item.chat, item.n - 1, item.n) };
    delete this.last[item.chat];
    this.save();
    return { refused, renumbered: [] };
  }

  /** Takes a refused command away. */
  remove(key: string): OutboxItem | undefined {
    const item = this.items.find((one) => one.key === key && one.refused);
    if (!item) return undefined;
    this.items = this.items.filter((one) => one !== item);
    this.save();
    return item;
  }

  /** Another device goes on with what this one had not sent: its own numbers start at 1 in every chat. */
  restart(): void {
    this.items = this.items.filter((item) => !item.acked);
    this.last = {};
    for (const item of this.items) if (!item.refused) item.n = this.last[item.chat] = (this.last[item.chat] ?? 0) + 1;
    this.save();
  }

  clear(): void {
    this.items = [];
    this.last = {};
    this.store.remove(this.storeKey);
  }

  private renumber(chat: string, after: number, from = 0): OutboxItem[] {
    const changed: OutboxItem[] = [];
    let n = after;
    for (const item of this.of(chat)) {
      if (item.acked || item.refused || item.n < from) continue;
      n += 1;
      if (item.n !== n) {
        item.n = n;
        changed.push(item);
      }
    }
    this.last[chat] = n;
    this.save();
    return changed;
  }

  private save(): void {
    const names = Object.keys(this.last);
    for (const chat of names.slice(0, Math.max(0, names.length - CHATS_KEPT))) {
      if (!this.items.some((item) => item.chat === chat)) delete this.last[chat];
    }
    this.store.set(this.storeKey, { items: this.items, last: this.last } satisfies Record_);
  }
}
