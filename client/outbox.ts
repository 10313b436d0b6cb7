/**
 * The commands of one device that are not durable yet, in order, with the numbers (`n`) they were sent under. Written to storage
 * with every change, so a reload or a killed page sends them again; pure otherwise, the socket asks `nextToSend` and reports
 * answers.
 *
 * A chat is named by its `chat_key` until the ticket is known, then by the ticket.
 */

import type { ChatCommand, Entry, ErrorCode, OpenChat } from "./protocol";
import { randomId } from "./random";
import { says } from "./says";
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
  /** Whose numbers these are, when it is not the device that the store knows it by. */
  device?: string;
  /** The tickets of chats that were opened here, by `chat_key`. */
  names?: Record<string, number>;
  /** The keys of the last commands that other tabs gave us: none is taken twice. */
  taken?: string[];
}

/** As many commands on their way are enough: then nothing more can be written until some have arrived. */
const FULL = 100;
/** What is taken away without a word when it was refused: nobody can see that it is there. */
const UNSEEN: readonly ChatCommand["op"][] = ["take_chat", "close_chat", "rate_chat"];
/** As many keys of other tabs' commands are remembered. */
const TAKEN_KEPT = 300;
/** Chats whose counters are kept after their last command. A forgotten chat is long closed. */
const CHATS_KEPT = 200;

/** A command as another tab writes it: it gets its number from the tab that has the socket. */
export type Letter = Pick<OutboxItem, "key" | "chat" | "at" | "command">;

export const chatName = (command: ChatCommand): string => (command.op === "open_chat" ? command.chat_key : String(command.ticket));

export function withoutTicket(command: ChatCommand): OutboxItem["command"] {
  const { ticket: _, ...rest } = command as ChatCommand & { ticket?: number };
  return rest as OutboxItem["command"];
}

/** So much is on its way that nothing more can be written. */
export const isFull = (items: readonly OutboxItem[]): boolean => items.filter((item) => !item.acked && !item.refused).length >= FULL;

export const outboxKey = (scope: string, device: string): string => `${scope}.outbox.${device}`;

export class Outbox {
  /** Whose numbers these are. */
  device: string;
  /** Called after each change. */
  changed: () => void = () => {};

  private items: OutboxItem[];
  private last: Record<string, number>;
  private names: Record<string, number>;
  private taken: string[];

  constructor(
    private readonly store: Store,
    private readonly storeKey: string,
    device = "",
  ) {
    const { items = [], last = {}, names = {}, taken = [], ...stored }: Partial<Record_> = store.get<Record_>(storeKey) ?? {};
    this.items = items;
    this.last = last;
    this.names = names;
    this.taken = taken;
    this.device = stored.device ?? device;
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


  add(command: ChatCommand, chat = chatName(command)): OutboxItem {
    return this.append({ key: randomId(), chat, at: Date.now(), command: withoutTicket(command) });
  }

  /** Takes a command that another tab has written; nothing when it had been taken before. */
  take(letter: Letter): OutboxItem | undefined {
    if (this.taken.includes(letter.key)) return undefined;
    this.taken = [...this.taken, letter.key].slice(-TAKEN_KEPT);
    return this.append(letter);
  }

  /**
   * Takes what another tab had in its outbox when it went, as far as the store has not got it: same device, same numbers, so that
   * sending it again changes nothing.
   */
  adopt(items: readonly OutboxItem[]): void {
    const missing = items.filter(({ key, chat, n }) => !this.items.some((one) => one.key === key || (one.chat === chat && one.n === n)));
    if (!missing.length) return;
    for (const { chat, n, key } of missing) {
      this.last[chat] = Math.max(this.last[chat] ?? 0, n);
      this.taken.push(key);
    }
    const all = [...this.items, ...missing];
    const sorted = new Map<string, OutboxItem[]>();
    for (const { chat } of all) sorted.set(chat, all.filter((one) => one.chat === chat).sort((a, b) => a.n - b.n));
    this.items = all.map(({ chat }) => sorted.get(chat)!.shift()!);
    this.save();
  }

  private append(letter: Letter): OutboxItem {
    const chat = String(this.names[letter.chat] ?? letter.chat);
    const n = (this.last[chat] ?? 0) + 1;
    const item: OutboxItem = { ...letter, chat, n };
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

  /** The number of the chat to be opened is reserved. */
  claimed(item: OutboxItem, claim: string): void {
    if (item.command.op === "open_chat") item.command = { ...item.command, claim };
    this.save();
  }

  /** The ticket of `open_chat` is known: from now on the chat has its name. */
  named(chatKey: string, ticket: number, claim?: string): void {
    for (const item of this.items) {
      if (item.chat !== chatKey) continue;
      item.chat = String(ticket);
      if (item.command.op === "open_chat" && claim) item.command = { ...item.command, claim };
    }
    this.names[chatKey] = ticket;
    const last = this.last[chatKey];
    if (last !== undefined) {
      delete this.last[chatKey];
      this.last[ticket] = Math.max(last, this.last[ticket] ?? 0);
    }
    this.save();
  }

  /** An entry of the log that this device wrote is as good as an ack. Returns what else changed with it. */
  seen(entry: Entry, device: string): OutboxItem[] {
    if (entry.device !== device) return [];
    const item = this.of(String(entry.ticket)).find((one) => one.n === entry.n && !one.refused);
    if (!item || !says(item, entry)) return item?.acked ? [] : this.takeBack(entry);
    this.acked(item, entry.epoch, entry.seq);
    return [];
  }

  /**
   * A command that was refused is in the log after all (Redis had lost it, SQL had not): it has its number, and what had got that
   * number goes under the next ones. Returns it, and those. Else the number is another's: the server will refuse ours.
   */
  private takeBack(entry: Entry): OutboxItem[] {
    const chat = String(entry.ticket);
    const items = this.of(chat);
    const next = (this.last[chat] ?? 0) + 1;
    const open = Math.min(next, ...items.filter((one) => !one.acked && !one.refused).map((one) => one.n));
    const at = items.findIndex((one) => one.refused && one.n === entry.n && says(one, entry));
    const item = items[at];
    if (!item || item.n < open || item.n > next) return [];
    // Refused one after the other, they had the same number.
    for (const one of items.slice(at + 1)) if (one.refused && one.n === item.n) one.n += 1;
    item.refused = undefined;
    item.acked = { epoch: entry.epoch, seq: entry.seq };
    return [item, ...this.renumber(chat, item.n, item.n)];
  }

  durable(ticket: number, epoch: number, seq: number): void {
    const before = this.items.length;
    this.items = this.items.filter(
      ({ chat, acked }) => !(chat === String(ticket) && acked && acked.epoch === epoch && acked.seq <= seq),
    );
    if (this.items.length !== before) this.save();
  }

  /** Whether something was acknowledged in another history of this chat. */
  isOfAnotherEpoch(ticket: number, epoch: number): boolean {
    return this.of(String(ticket)).some(({ acked }) => acked !== undefined && acked.epoch !== epoch);
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
  restart(device: string): void {
    this.device = device;
    this.items = this.items.filter((item) => !item.acked);
    this.last = {};
    for (const item of this.items) if (!item.refused) item.n = this.last[item.chat] = (this.last[item.chat] ?? 0) + 1;
    this.save();
  }

  clear(): void {
    this.items = [];
    this.save();
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
    for (const chat of Object.keys(this.last).slice(0, -CHATS_KEPT)) {
      if (!this.items.some((item) => item.chat === chat)) delete this.last[chat];
    }
    for (const chat of Object.keys(this.names).slice(0, -CHATS_KEPT)) delete this.names[chat];
    const { items, last, device, names, taken } = this;
    this.store.set(this.storeKey, { items, last, device, names, taken } satisfies Record_);
    this.changed();
  }
}
