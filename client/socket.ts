/**
 * A page's line to the server: questions with their answers, commands with their delivery, and what the server tells. It knows no
 * chat states; what happens it tells its `SocketEvents`.
 */

import { Connection, type ConnectionOptions, type SocketStatus } from "./connection";
import { Delivery } from "./delivery";
import { Outbox, outboxKey, type OutboxItem } from "./outbox";
import {
  type Ack,
  type ChatCommand,
  type ChatPosition,
  type Durable,
  type Entry,
  type EntryFrame,
  type ErrorCode,
  type ErrorFrame,
  type EventFrame,
  isMissing,
  type Limits,
  type Page,
  type Query,
  type Signal,
  type Snapshot,
  type Welcome,
} from "./protocol";
import type { Store } from "./storage";

export type { SocketStatus };

export interface SocketEvents {
  status?(status: SocketStatus): void;
  welcome?(welcome: Welcome): void;
  /** A page that came with `welcome`, `attach`, `pull`, `open_chat` or `take_chat`. */
  page?(page: Page): void;
  /** A chat of `positions` is not there, or not ours. */
  missing?(ticket: number): void;
  frame?(frame: EntryFrame | Durable | EventFrame | Snapshot): void;
  acked?(item: OutboxItem, ack: Ack): void;
  /** The command was refused; its author decides about it. */
  failed?(item: OutboxItem, error: ErrorFrame): void;
  renumbered?(items: OutboxItem[]): void;
  /** The first was refused, and is in the log after all; the others gave its number back. */
  takenBack?(items: OutboxItem[]): void;
  /** An `open_chat` got its ticket. */
  opened?(chatKey: string, ticket: number, code?: string): void;
  /** The server asks for a new `attach` of this chat. */
  stale?(ticket: number): void;
  /** We write as another device from now on. */
  device?(device: string): void;
  /** All commands that are not durable, after other tabs have changed them. */
  items?(items: readonly OutboxItem[]): void;
}

export interface SocketOptions extends Pick<ConnectionOptions, "url" | "getPass" | "WebSocket"> {
  device: string;
  store: Store;
  /** Prefix of what is kept in `store`. */
  scope: string;
  /** The chats to attach to, with what is there of them. */
  positions(): ChatPosition[];
  /** Makes the device that follows when the server says `conflict`. */
  newDevice(): string;
  events: SocketEvents;
}

/** The server refused a command. */
export class CommandError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly frame: ErrorFrame,
  ) {
    super(message);
  }
}

/** The connection ended before the answer came. Ask again after the next welcome. */
export class ConnectionLostError extends Error {
  constructor() {
    super("The connection was lost before the answer came.");
  }
}

interface Waiting {
  resolve(answer: any): void;
  reject(error: Error): void;
}

/** As long as `durable` may take while all is well; after it, a page is asked for that says how far the record is. */
const DURABLE_MS = 10_000;

/** Until the server has told its own. */
export const LIMITS: Limits = { frame_bytes: 32_768, text_chars: 4_096, in_flight: 16, chats: 4, page_entries: 200 };

/** What the chats of a page need of their line to the server: one of their own, or one that another tab keeps. */
export interface Line {
  readonly status: SocketStatus;
  readonly device: string;
  readonly limits: Limits;
  start(): void;
  stop(): void;
  /** Connects at once if it waits for its turn. */
  wake(): void;
  /** Asks. What the answer says comes by the events; the promise is rejected when it is a refusal, or when the connection is lost. */
  ask(query: Query): Promise<unknown>;
  /**
   * Sends a command as soon as it can go, and until it is durable. `chat` names a chat whose `open_chat` is not acknowledged yet.
   * The promise is settled by the ack or by the refusal, however many connections that takes.
   */
  post(command: ChatCommand, chat?: string): { item: OutboxItem; done: Promise<Ack> };
  /** The commands that are not durable, in their order, with those that were refused. */
  items(): readonly OutboxItem[];
  /** Takes a refused command away. */
  remove(key: string): OutboxItem | undefined;
  /** False when it could not go out: say it again after the next welcome. */
  read(ticket: number, seq: number): boolean;
  /** Call it with every key press: it sends at most one signal every 3 s. */
  typing(ticket: number): void;
  /** Forgets what was not sent. */
  clear(): void;
}

export class ChatSocket implements Line {
  readonly outbox: Outbox;
  limits: Limits = LIMITS;

  private readonly connection: Connection;
  private readonly delivery: Delivery;
  private questions = new Map<number, Waiting>();
  private promises = new Map<string, Waiting>();
  private lastTyping = new Map<number, number>();
  private durableTimer?: ReturnType<typeof setTimeout>;
  private acknowledged = new Set<string>(); // keys that wait for `durable`, since the last look

  constructor(private readonly options: SocketOptions) {
    const { url, getPass, WebSocket, store, scope, device, events } = options;
    this.outbox = new Outbox(store, outboxKey(scope, device), device);
    this.connection = new Connection({
      url,
      getPass,
      WebSocket,
      hello: () => ({ device: this.device, chats: options.positions() }),
      status: (status) => events.status?.(status),
      welcome: (welcome) => this.takeWelcome(welcome),
      frame: (frame) => this.take(frame),
      dropped: () => this.dropped(),
    });
    this.delivery = new Delivery({
      outbox: this.outbox,
      online: () => this.connection.online,
      inFlight: () => this.limits.in_flight,
      send: (frame) => this.sendWithId(frame),
      acked: (item, ack) => this.acked(item, ack),
      failed: (item, error) => {
        events.failed?.(item, error);
        this.settle(item)?.reject(new CommandError(error.code, error.message, error));
      },
      renumbered: (items) => events.renumbered?.(items),
      stale: (ticket) => events.stale?.(ticket),
      conflict: () => this.changeDevice(),
    });
  }

  get status(): SocketStatus {
    return this.connection.status;
  }

  /** Not the one of the options after a `conflict`. */
  get device(): string {
    return this.outbox.device;
  }

  start(): void {
    this.connection.start();
  }

  stop(): void {
    clearTimeout(this.durableTimer);
    this.durableTimer = undefined;
    this.connection.stop();
  }

  wake(): void {
    this.connection.wake();
  }

  /** Does what is due and late, in a hidden tab. */
  catchUp(): void {
    this.connection.catchUp();
  }

  clear(): void {
    this.outbox.clear();
  }

  // ---- commands ------------------------------------------------------------------------------------------------------------

  items(): readonly OutboxItem[] {
    return this.outbox.all();
  }

  remove(key: string): OutboxItem | undefined {
    return this.outbox.remove(key);
  }

  ask(query: Query): Promise<unknown> {
    if (!this.connection.online) return Promise.reject(new ConnectionLostError());
    const id = this.sendWithId(query);
    return new Promise((resolve, reject) => this.questions.set(id, { resolve, reject }));
  }

  post(command: ChatCommand, chat?: string): { item: OutboxItem; done: Promise<Ack> } {
    const item = this.outbox.add(command, chat);
    const done = new Promise<Ack>((resolve, reject) => this.promises.set(item.key, { resolve, reject }));
    done.catch(() => {}); // who does not wait for it hears of it by `failed`
    queueMicrotask(() => this.flush()); // first the caller shows it, then it goes
    return { item, done };
  }

  /** Sends what has come into the outbox. */
  flush(): void {
    this.delivery.flush();
  }

  read(ticket: number, seq: number): boolean {
    return this.signal({ op: "read", ticket, seq });
  }

  typing(ticket: number): void {
    const now = Date.now();
    if (now - (this.lastTyping.get(ticket) ?? 0) < 3_000) return;
    this.lastTyping.set(ticket, now);
    this.signal({ op: "typing", ticket });
  }

  private signal(frame: Signal): boolean {
    if (this.connection.online) this.connection.send(frame);
    return this.connection.online;
  }

  private sendWithId(frame: object): number {
    const id = this.connection.nextId();
    this.connection.send({ ...frame, id });
    return id;
  }

  private settle(item: OutboxItem): Waiting | undefined {
    const promise = this.promises.get(item.key);
    this.promises.delete(item.key);
    return promise;
  }

  // ---- what came -----------------------------------------------------------------------------------------------------------

  private take(frame: Ack | Page | Snapshot | ErrorFrame | EntryFrame | Durable | EventFrame): void {
    switch (frame.op) {
      case "ack":
      case "page":
      case "snapshot":
      case "error":
        return this.takeAnswer(frame);
      case "entry":
        this.see(frame);
        return this.options.events.frame?.(frame);
      case "durable":
        this.outbox.durable(frame.ticket, frame.epoch, frame.seq);
        return this.options.events.frame?.(frame);
      case "event":
        return this.options.events.frame?.(frame);
    }
  }

  private takeAnswer(frame: Ack | Page | Snapshot | ErrorFrame): void {
    if (frame.op === "page") this.takePage(frame);
    // At once, not by the promise: the first events of the topic may follow in the same turn.
    if (frame.op === "snapshot") this.options.events.frame?.(frame);
    if (frame.id === undefined) return;
    const question = this.questions.get(frame.id);
    if (question) {
      this.questions.delete(frame.id);
      if (frame.op === "error") question.reject(new CommandError(frame.code, frame.message, frame));
      else question.resolve(frame);
    }
    if (frame.op === "ack" || frame.op === "error") this.delivery.answered(frame);
  }

  private acked(item: OutboxItem, ack: Ack): void {
    const { events } = this.options;
    this.outbox.acked(item, ack.epoch, ack.seq);
    if (item.command.op === "open_chat") {
      const { chat_key } = item.command;
      if (item.chat === chat_key) {
        this.outbox.named(chat_key, ack.ticket, ack.claim);
        events.opened?.(chat_key, ack.ticket, ack.access_code);
      }
    }
    events.acked?.(item, ack);
    if (ack.page) this.takePage(ack.page);
    this.settle(item)?.resolve(ack);
    this.durableTimer ??= setTimeout(() => this.askForDurable(), DURABLE_MS);
  }

  private see(entry: Entry): void {
    const changed = this.outbox.seen(entry, this.device);
    if (changed.length) this.options.events.takenBack?.(changed);
  }

  /** The `durable` of the last entries may have been lost, or have come before their ack: then nothing else would tell. */
  private askForDurable(): void {
    const acked = this.outbox.all().filter((item) => item.acked);
    const late = new Set(acked.filter((item) => this.acknowledged.has(item.key)).map((item) => item.chat));
    this.acknowledged = new Set(acked.map((item) => item.key));
    this.durableTimer = acked.length ? setTimeout(() => this.askForDurable(), DURABLE_MS) : undefined;
    for (const position of this.options.positions()) {
      if (late.has(String(position.ticket))) this.ask({ op: "pull", ...position }).catch(() => {}); // the next look asks again
    }
  }

  private takePage(page: Page): void {
    const reset = page.reset || this.outbox.isOfAnotherEpoch(page.ticket, page.epoch);
    if (reset) this.outbox.reset(page.ticket);
    for (const entry of page.entries) this.see({ ...entry, ticket: page.ticket });
    this.outbox.durable(page.ticket, page.epoch, page.state.durable);
    this.options.events.page?.(page);
    if (reset) this.delivery.flush();
  }

  private takeWelcome(welcome: Welcome): void {
    const { events } = this.options;
    this.limits = { ...this.limits, ...welcome.limits };
    events.welcome?.(welcome);
    for (const answer of welcome.chats) {
      if (isMissing(answer)) {
        this.outbox.reset(answer.ticket); // an `open_chat` that was lost with the chat goes out again, with its claim
        events.missing?.(answer.ticket);
      } else this.takePage(answer);
    }
    this.delivery.flush();
  }

  private dropped(): void {
    this.delivery.dropped();
    this.lastTyping.clear();
    for (const { reject } of this.questions.values()) reject(new ConnectionLostError());
    this.questions.clear();
  }

  private changeDevice(): void {
    const { events, newDevice } = this.options;
    this.outbox.restart(newDevice());
    events.device?.(this.device);
    events.renumbered?.([...this.outbox.all()]);
    this.connection.restart();
  }
}

/** The address of `/ws` on the server that this page came from. */
export function socketUrl({ protocol, host }: { protocol: string; host: string } = location): string {
  return `${protocol === "https:" ? "wss:" : "ws:"}//${host}/ws`;
}
