/**
 * Brings the commands of the outbox to the server, in order and each until it is acknowledged or refused: at most `in_flight` of a
 * chat on the way, nothing of a chat that has to wait, and what one answer says about the numbers of the others.
 */

import type { Outbox, OutboxItem } from "./outbox";
import type { Ack, ErrorFrame } from "./protocol";

export interface DeliveryOptions {
  outbox: Outbox;
  /** Whether commands can go out now. */
  online(): boolean;
  /** How many of one chat may be on the way. */
  inFlight(): number;
  /** Sends a command under a new `id`, which it returns. */
  send(frame: object): number;
  acked(item: OutboxItem, ack: Ack): void;
  /** Refused for good. */
  failed(item: OutboxItem, error: ErrorFrame): void;
  renumbered(items: OutboxItem[]): void;
  /** The server asks for a new `attach` of this chat. */
  stale(ticket: number): void;
  /** One of our numbers was used for something else: this device has lost its counters. */
  conflict(): void;
}

export class Delivery {
  private onTheWay = new Map<number, OutboxItem>();
  /** Chats that send nothing until their answers are in and the time has come. */
  private held = new Map<string, { until: number; lastN?: number }>();

  constructor(private readonly options: DeliveryOptions) {}

  /** Sends what can go. */
  flush(): void {
    const { outbox, online, inFlight, send } = this.options;
    if (!online()) return;
    const sent = new Set([...this.onTheWay.values()].map((item) => item.key));
    const counts = new Map<string, number>();
    for (const item of this.onTheWay.values()) counts.set(item.chat, (counts.get(item.chat) ?? 0) + 1);
    for (const item of outbox.all()) {
      const count = counts.get(item.chat) ?? 0;
      const ticket = Number(item.chat);
      const open = item.command.op === "open_chat";
      if (item.acked || item.refused || sent.has(item.key) || this.held.has(item.chat) || count >= inFlight()) continue;
      // Before its chat has a number a message can go nowhere; and an `open_chat` goes out alone.
      if (!open && (!(ticket > 0) || outbox.of(item.chat).some((one) => one.command.op === "open_chat" && !one.acked))) continue;
      counts.set(item.chat, count + 1);
      this.onTheWay.set(send(frameOf(item, ticket)), item);
    }
  }

  /** The connection is gone: everything that was on the way goes out again on the next one. */
  dropped(): void {
    this.onTheWay.clear();
    this.held.clear();
  }

  /** Takes the answer to one of our commands; other answers are passed over. */
  answered(answer: Ack | ErrorFrame): void {
    const item = answer.id === undefined ? undefined : this.onTheWay.get(answer.id);
    if (!item || answer.id === undefined) return;
    this.onTheWay.delete(answer.id);
    const known = this.options.outbox.find(item.key);
    if (known && !known.refused) {
      if (answer.op === "error") {
        if (!known.acked) this.refused(item, answer); // else its entry has been seen: it has happened
      } else if (answer.seq === undefined) this.options.outbox.claimed(known, answer.claim!);
      else this.options.acked(item, answer);
    }
    if (answer.op === "ack") this.arrived(item.chat, answer.n);
    this.release(item.chat);
  }

  private refused(item: OutboxItem, error: ErrorFrame): void {
    const { outbox, failed, renumbered, stale, conflict } = this.options;
    switch (error.code) {
      case "unavailable":
      case "rate_limited":
        return this.hold(item.chat, error.retry_after_ms ?? 1_000);
      case "gap":
        return this.hold(item.chat, 0, error.last_n ?? item.n - 1);
      case "reset":
        this.hold(item.chat, 500);
        return stale(Number(item.chat));
      case "conflict":
        return conflict();
      default: {
        const changed = outbox.refused(item, error.code);
        // Those on the way carry numbers that no longer fit and come back as `gap`.
        this.hold(item.chat, 0);
        for (const one of changed.refused) failed(one, error);
        if (changed.renumbered.length) renumbered(changed.renumbered);
        if (error.code === "stale_gen") stale(Number(item.chat));
      }
    }
  }

  /** Nothing more of this chat until every answer on the way is in and the time has come. */
  private hold(chat: string, afterMs: number, lastN?: number): void {
    const held = this.held.get(chat);
    const until = Math.max(held?.until ?? 0, Date.now() + afterMs);
    this.held.set(chat, { until, lastN: lastN ?? held?.lastN });
  }

  /** The server has this one, so it was not there yet when the server spoke of a gap before it: numbers in use are not given away. */
  private arrived(chat: string, n = 0): void {
    const held = this.held.get(chat);
    if (held?.lastN !== undefined) held.lastN = Math.max(held.lastN, n);
  }

  private release(chat: string): void {
    const held = this.held.get(chat);
    if (!held) return this.flush();
    if ([...this.onTheWay.values()].some((item) => item.chat === chat)) return;
    if (held.lastN !== undefined) {
      const changed = this.options.outbox.goBack(chat, held.lastN);
      held.lastN = undefined;
      if (changed.length) this.options.renumbered(changed);
    }
    setTimeout(() => {
      if (this.held.get(chat) !== held) return; // another connection, or held anew
      this.held.delete(chat);
      this.flush();
    }, Math.max(0, held.until - Date.now()));
  }
}

/** What goes out for a command. A chat's number is asked for first: with its claim the chat is opened under it, however often it goes out. */
function frameOf({ command, n }: OutboxItem, ticket: number): object {
  if (command.op !== "open_chat") return { ...command, ticket, n };
  return command.claim ? command : { op: "reserve_ticket", chat_key: command.chat_key };
}
