/**
 * One WebSocket that comes back. `ChatSocket` gets a pass, says hello, answers pings, notices silence, reconnects with full jitter
 * and sends the outbox again in order; what a close code asks for is in `CLOSE`. It knows no chat states: what happens it tells
 * its `SocketEvents`.
 */

import { HttpError } from "./http";
import { Outbox, type OutboxItem } from "./outbox";
import {
  type Ack,
  type ChatCommand,
  type ChatPosition,
  type Durable,
  type EntryFrame,
  type ErrorCode,
  type ErrorFrame,
  type EventFrame,
  isMissing,
  type Limits,
  type Page,
  parseFrames,
  type Query,
  type ServerFrame,
  type Signal,
  type Snapshot,
  SUBPROTOCOL,
  type Welcome,
} from "./protocol";
import type { Store } from "./storage";

export type SocketStatus =
  | { phase: "idle" }
  | { phase: "connecting"; tries: number }
  | { phase: "online" }
  /** `blocked`: passes work, but no WebSocket has ever opened here. */
  | { phase: "waiting"; tries: number; retryAt: number; blocked: boolean }
  | { phase: "offline" }
  /** `code` is a close code, or the HTTP status that refused the pass. */
  | { phase: "stopped"; code: number; message: string };

export interface SocketEvents {
  status?(status: SocketStatus): void;
  welcome?(welcome: Welcome): void;
  /** A page that came with `welcome`, `attach`, `pull`, `open_chat` or `take_chat`. */
  page?(page: Page): void;
  /** A chat of `positions` is not there, or not ours. */
  missing?(ticket: number): void;
  frame?(frame: EntryFrame | Durable | EventFrame | Snapshot): void;
  acked?(item: OutboxItem, ack: Ack): void;
  /** The command was refused and dropped. */
  failed?(item: OutboxItem, error: ErrorFrame): void;
  renumbered?(items: OutboxItem[]): void;
  /** An `open_chat` got its ticket. */
  opened?(chatKey: string, ticket: number): void;
  /** The server asks for a new `attach` of this chat. */
  stale?(ticket: number): void;
  /** This tab writes as another device from now on. */
  device?(device: string): void;
}

export interface SocketOptions {
  url: string;
  device: string;
  store: Store;
  /** Prefix of what is kept in `store`. */
  scope: string;
  /** A pass, by HTTP. An `HttpError` that is not temporary stops the socket. */
  getPass(): Promise<string>;
  /** The chats to attach to, with what is there of them. */
  positions(): ChatPosition[];
  /** Makes the device that follows when the server says `conflict`. */
  newDevice(): string;
  events: SocketEvents;
  WebSocket?: typeof WebSocket;
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

/** Close codes that end it; with every other code the client comes back. */
const STOPS: Record<number, string> = {
  4400: "The server did not understand this page. Reload it.",
  4401: "You are signed out.",
  4403: "This is not allowed here.",
  4409: "This chat goes on in another window.",
  4429: "Too much was sent at once.",
  1009: "A message was too big.",
  1002: "The connection is broken.",
  1003: "The connection is broken.",
  1007: "The connection is broken.",
  1008: "The connection is broken.",
};
const UNAUTHENTICATED = 4401;

const HELLO_TIMEOUT_MS = 10_000;
const CHECK_TIMEOUT_MS = 5_000;
const BACKOFF_MS = 500;
const BACKOFF_TOP_MS = 20_000;
/** A connection that lived this long was a good one: the next backoff starts small again. */
const GOOD_MS = 10_000;
/** As many unopened sockets, with passes that work, mean that something on the way blocks WebSockets. */
const BLOCKED_TRIES = 3;

interface Waiting {
  resolve(answer: any): void;
  reject(error: Error): void;
}

export class ChatSocket {
  readonly outbox: Outbox;
  device: string;
  status: SocketStatus = { phase: "idle" };
  limits: Limits = { frame_bytes: 32_768, text_chars: 4_096, in_flight: 16, chats: 4, page_entries: 200 };

  private ws?: WebSocket;
  private online = false;
  private opened = false;
  private running = false;
  private id = 0;
  private tries = 0;
  private welcomedAt = 0;
  private heardAt = 0;
  private pingEvery = 25_000;
  private resumeToken?: string;
  private refusedOnce = false;
  private attempt = 0;
  private timer?: ReturnType<typeof setTimeout>;
  private liveness?: ReturnType<typeof setInterval>;
  private questions = new Map<number, Waiting>();
  private inFlight = new Map<number, OutboxItem>();
  private promises = new Map<string, Waiting>();
  /** Chats that send nothing until their answers are in and the time has come. */
  private held = new Map<string, { until: number; lastN?: number }>();
  private lastTyping = new Map<number, number>();

  constructor(private readonly options: SocketOptions) {
    this.device = options.device;
    this.outbox = new Outbox(options.store, `${options.scope}.outbox.${options.device}`);
  }

  // ---- life ----------------------------------------------------------------------------------------------------------------

  start(): void {
    if (this.running) return;
    this.running = true;
    this.tries = 0;
    this.refusedOnce = false;
    addEventListener("online", this.wake);
    addEventListener("offline", this.sleep);
    document.addEventListener("visibilitychange", this.check);
    if (navigator.onLine === false) this.sleep();
    else void this.connect();
  }

  stop(): void {
    this.end({ phase: "idle" });
  }

  /** Connects at once if it waits for its turn. */
  readonly wake = (): void => {
    if (!this.running || this.ws || this.status.phase === "connecting") return;
    this.tries = 0;
    void this.connect();
  };

  private readonly sleep = (): void => {
    this.drop();
    this.setStatus({ phase: "offline" });
  };

  /** A tab that comes back after a while may hold a dead connection: ask, and do not wait long. */
  private readonly check = (): void => {
    if (document.visibilityState !== "visible") return;
    if (!this.online) return this.wake();
    const asked = Date.now();
    this.signal({ op: "ping" });
    setTimeout(() => {
      if (this.online && this.heardAt < asked) this.lost(1006);
    }, CHECK_TIMEOUT_MS);
  };

  private async connect(): Promise<void> {
    clearTimeout(this.timer);
    const attempt = ++this.attempt;
    this.opened = false;
    this.setStatus({ phase: "connecting", tries: this.tries });
    let pass: string | undefined;
    if (!this.resumeToken) {
      try {
        pass = await this.options.getPass();
      } catch (error) {
        if (attempt !== this.attempt) return;
        if (error instanceof HttpError && error.temporary) return this.retry(true, error.retryAfterMs);
        const code = error instanceof HttpError ? error.status : 0;
        return this.end({ phase: "stopped", code, message: error instanceof Error ? error.message : String(error) });
      }
      if (attempt !== this.attempt) return;
    }
    const ws = new (this.options.WebSocket ?? WebSocket)(this.options.url, SUBPROTOCOL);
    this.ws = ws;
    ws.onopen = () => {
      this.opened = true;
      const credential = pass ? { pass } : { resume_token: this.resumeToken };
      this.send({ op: "hello", id: ++this.id, ...credential, device: this.device, chats: this.options.positions() });
    };
    ws.onmessage = ({ data }) => this.receive(data as string);
    ws.onclose = ({ code }) => this.lost(code);
    this.timer = setTimeout(() => this.lost(1006), HELLO_TIMEOUT_MS);
  }

  /** Forgets the socket without waiting for its close, which on a dead network takes minutes. */
  private drop(): void {
    const { ws } = this;
    this.attempt += 1;
    clearTimeout(this.timer);
    clearInterval(this.liveness);
    this.online = false;
    this.ws = undefined;
    if (ws) {
      ws.onopen = ws.onmessage = ws.onclose = null;
      ws.close();
    }
    this.inFlight.clear();
    this.held.clear();
    this.lastTyping.clear();
    for (const { reject } of this.questions.values()) reject(new ConnectionLostError());
    this.questions.clear();
    this.id = 0;
  }

  private lost(code: number): void {
    if (this.online && Date.now() - this.welcomedAt > GOOD_MS) this.tries = 0;
    const { opened } = this;
    this.drop();
    if (!this.running) return;
    if (code === UNAUTHENTICATED && !this.refusedOnce) {
      this.refusedOnce = true;
      this.resumeToken = undefined;
      return void this.connect();
    }
    const message = STOPS[code] ?? (code >= 4400 && code < 4500 ? "The server ended the connection." : undefined);
    if (message) this.end({ phase: "stopped", code, message });
    else this.retry(opened);
  }

  private retry(opened: boolean, afterMs?: number): void {
    const wait = afterMs ?? Math.random() * Math.min(BACKOFF_TOP_MS, BACKOFF_MS * 2 ** this.tries);
    this.tries += 1;
    const blocked = !opened && !this.welcomedAt && this.tries >= BLOCKED_TRIES;
    this.setStatus({ phase: "waiting", tries: this.tries, retryAt: Date.now() + wait, blocked });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), wait);
  }

  private end(status: SocketStatus): void {
    this.running = false;
    this.drop();
    this.resumeToken = undefined;
    removeEventListener("online", this.wake);
    removeEventListener("offline", this.sleep);
    document.removeEventListener("visibilitychange", this.check);
    this.setStatus(status);
  }

  private setStatus(status: SocketStatus): void {
    this.status = status;
    this.options.events.status?.(status);
  }

  // ---- commands ------------------------------------------------------------------------------------------------------------

  /** Asks; the answer comes on this connection, or the promise is rejected. */
  ask(query: Extract<Query, { op: "attach" | "pull" }>): Promise<Page>;
  ask<S>(query: { op: "watch"; topic: string }): Promise<Snapshot<S>>;
  ask(query: Query): Promise<unknown>;
  ask(query: Query): Promise<unknown> {
    if (!this.online) return Promise.reject(new ConnectionLostError());
    const id = ++this.id;
    this.send({ ...query, id });
    return new Promise((resolve, reject) => this.questions.set(id, { resolve, reject }));
  }

  /**
   * Puts a command into the outbox and sends it as soon as it can go. `chat` names a chat whose `open_chat` is not acknowledged
   * yet. The promise is settled by the ack or by the refusal, however many connections that takes.
   */
  post(command: ChatCommand, chat?: string): { item: OutboxItem; done: Promise<Ack> } {
    const item = this.outbox.add(command, chat);
    const done = new Promise<Ack>((resolve, reject) => this.promises.set(item.key, { resolve, reject }));
    done.catch(() => {}); // who does not wait for it hears of it by `failed`
    queueMicrotask(() => this.flush()); // first the caller shows it, then it goes
    return { item, done };
  }

  read(ticket: number, seq: number): void {
    this.signal({ op: "read", ticket, seq });
  }

  /** Call it with every key press: it sends at most one signal every 3 s. */
  typing(ticket: number): void {
    const now = Date.now();
    if (now - (this.lastTyping.get(ticket) ?? 0) < 3_000) return;
    this.lastTyping.set(ticket, now);
    this.signal({ op: "typing", ticket });
  }

  private signal(frame: Signal): void {
    if (this.online) this.send(frame);
  }

  private send(frame: object): void {
    if (this.ws?.readyState === 1) this.ws.send(JSON.stringify(frame));
  }

  // ---- outbox --------------------------------------------------------------------------------------------------------------

  private flush(): void {
    if (!this.online) return;
    const sent = new Set([...this.inFlight.values()].map((item) => item.key));
    const counts = new Map<string, number>();
    for (const item of this.inFlight.values()) counts.set(item.chat, (counts.get(item.chat) ?? 0) + 1);
    for (const item of this.outbox.all()) {
      const count = counts.get(item.chat) ?? 0;
      const ticket = Number(item.chat);
      const open = item.command.op === "open_chat";
      if (item.acked || sent.has(item.key) || this.held.has(item.chat) || count >= this.limits.in_flight) continue;
      // Before its chat has a number a message can go nowhere; and an `open_chat` goes out alone.
      if (!open && (!(ticket > 0) || this.outbox.of(item.chat).some((one) => one.command.op === "open_chat" && !one.acked))) continue;
      const id = ++this.id;
      this.inFlight.set(id, item);
      counts.set(item.chat, count + 1);
      this.send(open ? { ...item.command, id } : { ...item.command, id, ticket, n: item.n });
    }
  }

  /** Nothing more of this chat until every answer on the way is in and the time has come. */
  private hold(chat: string, afterMs: number, lastN?: number): void {
    const held = this.held.get(chat);
    const until = Math.max(held?.until ?? 0, Date.now() + afterMs);
    this.held.set(chat, { until, lastN: lastN ?? held?.lastN });
  }

  private release(chat: string): void {
    const held = this.held.get(chat);
    if (!held) return this.flush();
    if ([...this.inFlight.values()].some((item) => item.chat === chat)) return;
    if (held.lastN !== undefined) {
      const changed = this.outbox.goBack(chat, held.lastN);
      held.lastN = undefined;
      if (changed.length) this.options.events.renumbered?.(changed);
    }
    const { attempt } = this;
    setTimeout(() => {
      if (attempt !== this.attempt || this.held.get(chat) !== held) return;
      this.held.delete(chat);
      this.flush();
    }, Math.max(0, held.until - Date.now()));
  }

  private answered(item: OutboxItem, answer: Ack | ErrorFrame): void {
    if (answer.op === "ack") {
      this.outbox.acked(item, answer.epoch, answer.seq);
      if (item.command.op === "open_chat") {
        const { chat_key } = item.command;
        if (item.chat === chat_key) {
          this.outbox.named(chat_key, answer.ticket, answer.claim);
          this.options.events.opened?.(chat_key, answer.ticket);
        }
      }
      this.options.events.acked?.(item, answer);
      if (answer.page) this.takePage(answer.page);
      this.settle(item)?.resolve(answer);
    } else {
      this.refused(item, answer);
    }
    this.release(item.chat);
  }

  private refused(item: OutboxItem, error: ErrorFrame): void {
    switch (error.code) {
      case "unavailable":
      case "rate_limited":
        return this.hold(item.chat, error.retry_after_ms ?? 1_000);
      case "gap":
        return this.hold(item.chat, 0, error.last_n ?? item.n - 1);
      case "reset":
        this.hold(item.chat, 500);
        return this.options.events.stale?.(Number(item.chat));
      case "conflict":
        return this.changeDevice();
      default: {
        const following = this.outbox.of(item.chat).filter((one) => one !== item);
        const changed = this.outbox.refused(item);
        // Those on the way carry numbers that no longer fit and come back as `gap`.
        this.hold(item.chat, 0);
        this.fail(item, error);
        if (item.command.op === "open_chat") for (const one of following) this.fail(one, error);
        if (changed.length) this.options.events.renumbered?.(changed);
        if (error.code === "stale_gen") this.options.events.stale?.(Number(item.chat));
      }
    }
  }

  private fail(item: OutboxItem, error: ErrorFrame): void {
    this.options.events.failed?.(item, error);
    this.settle(item)?.reject(new CommandError(error.code, error.message, error));
  }

  private settle(item: OutboxItem): Waiting | undefined {
    const promise = this.promises.get(item.key);
    this.promises.delete(item.key);
    return promise;
  }

  private changeDevice(): void {
    this.device = this.options.newDevice();
    this.outbox.restart();
    this.resumeToken = undefined; // it belongs to the device
    this.options.events.device?.(this.device);
    this.options.events.renumbered?.([...this.outbox.all()]);
    this.drop();
    void this.connect();
  }

  // ---- frames --------------------------------------------------------------------------------------------------------------

  private receive(data: string): void {
    this.heardAt = Date.now();
    const { ws } = this;
    for (const frame of parseFrames(data)) {
      this.take(frame);
      if (this.ws !== ws) return; // a frame made us drop this connection
    }
  }

  private take(frame: ServerFrame): void {
    switch (frame.op) {
      case "welcome":
        return this.takeWelcome(frame);
      case "ping":
        return this.send({ op: "pong" });
      case "pong":
        return;
      case "bye":
        this.drop();
        if (!frame.reconnect) return this.end({ phase: "stopped", code: 4001, message: "The server ended the connection." });
        this.tries = 0;
        return this.retry(true, frame.after_ms);
      case "ack":
      case "page":
      case "snapshot":
      case "error":
        return this.takeAnswer(frame);
      case "entry":
        this.outbox.seen(frame, this.device);
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
    const item = this.inFlight.get(frame.id);
    if (item) {
      this.inFlight.delete(frame.id);
      if (this.outbox.find(item.key) && (frame.op === "ack" || frame.op === "error")) this.answered(item, frame);
      else this.release(item.chat);
    }
  }

  private takePage(page: Page): void {
    if (page.reset) this.outbox.reset(page.ticket);
    for (const entry of page.entries) this.outbox.seen({ ...entry, ticket: page.ticket }, this.device);
    this.outbox.durable(page.ticket, page.epoch, page.state.durable);
    this.options.events.page?.(page);
    if (page.reset) this.flush();
  }

  private takeWelcome(welcome: Welcome): void {
    clearTimeout(this.timer);
    this.online = true;
    this.welcomedAt = Date.now();
    this.refusedOnce = false;
    this.limits = { ...this.limits, ...welcome.limits };
    this.pingEvery = welcome.ping_every;
    this.resumeToken = welcome.resume_token;
    this.liveness = setInterval(() => {
      if (Date.now() - this.heardAt > 2 * this.pingEvery) this.lost(1006);
    }, this.pingEvery / 2);
    this.setStatus({ phase: "online" });
    this.options.events.welcome?.(welcome);
    for (const answer of welcome.chats) {
      if (isMissing(answer)) {
        this.outbox.reset(answer.ticket); // an `open_chat` that was lost with the chat goes out again, with its claim
        this.options.events.missing?.(answer.ticket);
      } else this.takePage(answer);
    }
    this.flush();
  }
}

/** The address of `/ws` on the server that this page came from. */
export function socketUrl({ protocol, host }: { protocol: string; host: string } = location): string {
  return `${protocol === "https:" ? "wss:" : "ws:"}//${host}/ws`;
}
