/**
 * The chats of one page: feeds what the socket tells into the reducers of `chat_state.ts`, asks for what is missing, and tells
 * listeners (once for everything that came in one turn) that something changed.
 */

import { type ChatAction, type ChatState, lastSeq, needsPull, newChat, positionOf, type Pending, type Reader, reduceChat } from "./chat_state";
import { isFull, type OutboxItem } from "./outbox";
import type { Ack, ChatCommand, ChatPosition, ErrorCode, ErrorFrame, OpenChat, Page, Snapshot, Topic, TopicEvent, Welcome } from "./protocol";
import { QuietStatus } from "./quiet_status";
import { randomKey } from "./random";
import { CommandError, type Line, type SocketEvents, type SocketStatus } from "./socket";

/** What the line tells these chats, and asks them. */
export interface LineHooks {
  events: SocketEvents;
  positions(): ChatPosition[];
}

export interface ChatsOptions {
  reader: Reader;
  line(hooks: LineHooks): Line;
  /** An `open_chat` got its ticket and its access code: here, in another tab, or before a reload. */
  opened?(chatKey: string, ticket: number, code?: string): void;
}

export interface TopicListener<S> {
  snapshot(snapshot: Snapshot<S>): void;
  event(event: TopicEvent): void;
}

/** How long an entry may wait for its predecessor; doubled with each pull that did not bring it. */
const PATIENCE_MS = 300;
const PATIENCE_TOP_MS = 10_000;

/** Errors after which the same question may be answered. */
const RETRIED: ErrorCode[] = ["unavailable", "rate_limited"];

const KINDS: Partial<Record<ChatCommand["op"], Pending["kind"]>> = {
  open_chat: "message",
  post_message: "message",
  post_note: "note",
  close_chat: "closed",
  rate_chat: "rated",
};

export class Chats {
  readonly socket: Line;
  person?: Welcome["person"];
  /** Add it to `Date.now()` for the server's time: how long somebody has waited must not depend on this machine's clock. */
  clockSkew = 0;

  private readonly reader: Reader;
  private readonly quiet = new QuietStatus(() => this.tell());
  /** By ticket, or by `chat_key` until the ticket is known. */
  private states = new Map<string, ChatState>();
  private tickets = new Map<string, string>();
  private gone = new Set<number>();
  private listeners = new Set<() => void>();
  private topics = new Map<Topic, TopicListener<any>>();
  private patience = new Map<number, { timer: ReturnType<typeof setTimeout>; wait: number }>();
  private pulling = new Set<number>();
  private told = false;

  constructor(private readonly options: ChatsOptions) {
    this.reader = options.reader;
    this.socket = options.line({ events: this.events(), positions: () => this.positions() });
    for (const item of this.socket.items()) this.show(item);
  }

  private events(): SocketEvents {
    return {
      status: (status) => {
        this.quiet.take(status);
        this.tell();
      },
      welcome: (welcome) => this.takeWelcome(welcome),
      page: (page) => this.takePage(page),
      missing: (ticket) => this.takeMissing(ticket),
      frame: (frame) => {
        if (frame.op === "entry") this.change(frame.ticket, { type: "entry", entry: frame });
        else if (frame.op === "durable") this.change(frame.ticket, { type: "durable", durable: frame });
        else if (frame.op === "snapshot") this.topics.get(frame.topic as Topic)?.snapshot(frame);
        else if (frame.topic === "chat") this.change(frame.ticket, { type: "event", event: frame, now: Date.now() });
        else this.topics.get(frame.topic)?.event(frame);
      },
      opened: (chatKey, ticket, code) => {
        this.name(chatKey, ticket);
        this.options.opened?.(chatKey, ticket, code);
      },
      acked: (item, ack) => this.change(item.chat, { type: "ack", ack, key: item.key }),
      failed: (item, error) => this.takeFailure(item, error),
      renumbered: (items) => {
        for (const { chat, key, n } of items) this.change(chat, { type: "numbered", key, n });
      },
      takenBack: ([item, ...others]) => {
        for (const { chat, key, n } of others) this.change(chat, { type: "numbered", key, n });
        if (item) this.takeBack(item);
      },
      stale: (ticket) => this.states.has(String(ticket)) && this.attach(ticket),
      items: (items) => this.takeItems(items),
      device: (device) => {
        for (const [name, state] of this.states) this.states.set(name, { ...state, device });
      },
    };
  }

  get status(): SocketStatus {
    return this.socket.status;
  }

  /** What to say of the connection: nothing of trouble that is over soon. */
  get shownStatus(): SocketStatus {
    return this.quiet.shown;
  }

  /** So much is on its way that nothing more can be written. */
  get full(): boolean {
    return isFull(this.socket.items());
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A chat by its ticket, or by the name that `open` gave it. */
  get(chat: number | string): ChatState | undefined {
    return this.states.get(this.nameOf(chat));
  }

  all(): ChatState[] {
    return [...this.states.values()];
  }

  /** The server says that this chat is not there, or not ours. */
  isGone(ticket: number): boolean {
    return this.gone.has(ticket);
  }

  // ---- commands ------------------------------------------------------------------------------------------------------------

  /** Attaches now or with the next welcome, and again after each. */
  attach(ticket: number): void {
    this.gone.delete(ticket);
    if (!this.states.has(String(ticket))) this.put(String(ticket), newChat(ticket, this.reader, this.socket.device));
    this.fetch(ticket, "attach");
  }

  /** Forgets the chat on this page. */
  detach(ticket: number): void {
    this.states.delete(String(ticket));
    clearTimeout(this.patience.get(ticket)?.timer);
    this.patience.delete(ticket);
    void this.socket.ask({ op: "detach", ticket }).catch(() => {});
    this.tell();
  }

  /** Opens a chat with its first message. The name is good for `get` at once and stays so when the ticket is known. */
  open(fields: Omit<OpenChat, "op" | "chat_key" | "claim">): { chat: string; done: Promise<Ack> } {
    const chat_key = randomKey();
    const { done } = this.send({ op: "open_chat", chat_key, ...fields });
    return { chat: chat_key, done };
  }

  /** Shows the command in its chat at once, and sends it until it is acknowledged. `chat` as in `get`. */
  send(command: ChatCommand, chat?: string): { key: string; done: Promise<Ack> } {
    const { item, done } = this.socket.post(command, chat && this.nameOf(chat));
    // The page that comes with the ack is for us.
    if (command.op === "take_chat" && !this.states.has(item.chat)) this.put(item.chat, newChat(command.ticket, this.reader, this.socket.device));
    this.show(item);
    return { key: item.key, done };
  }

  postMessage(chat: number | string, text: string, extra: { gen?: number; keep?: string[] } = {}): { key: string; done: Promise<Ack> } {
    return this.send({ op: "post_message", ticket: this.get(chat)?.ticket ?? 0, text, ...extra }, String(chat));
  }

  /** Takes a refused command away. */
  discard(chat: number | string, key: string): void {
    this.socket.remove(key);
    this.change(chat, { type: "discard", key });
  }

  /** Sends a refused command again, as a new one; a chat that could not be opened is opened first. `change` mends a message. */
  retry(chat: number | string, key: string, change: { gen?: number } = {}): void {
    const refused = this.socket.items().filter((item) => item.refused && item.chat === this.nameOf(chat));
    const wanted = refused.filter((item) => item.key === key || item.command.op === "open_chat");
    for (const item of wanted) {
      this.discard(chat, item.key);
      const command = { ...item.command, ...(item.command.op === "post_message" ? change : {}) };
      this.send((command.op === "open_chat" ? command : { ...command, ticket: Number(item.chat) || 0 }) as ChatCommand, item.chat);
    }
  }

  /** Everything up to the last entry was seen. */
  read(ticket: number): void {
    const state = this.get(ticket);
    const me = state?.info?.me;
    if (!state || !me) return;
    const seq = lastSeq(state);
    if ((state.reads[me] ?? 0) >= seq || !this.socket.read(ticket, seq)) return;
    this.change(ticket, { type: "event", event: { op: "event", topic: "chat", ticket, type: "read", participant: me, seq }, now: 0 });
  }

  /** Watches a topic, now and after each reconnect. Call again when an event shows a hole. */
  watch<S>(topic: Topic, listener: TopicListener<S>): () => void {
    this.topics.set(topic, listener);
    this.askTopic(topic);
    return () => {
      this.topics.delete(topic);
      void this.socket.ask({ op: "unwatch", topic }).catch(() => {});
    };
  }

  // ---- what came -----------------------------------------------------------------------------------------------------------

  private positions(): ChatPosition[] {
    return this.wanted()
      .slice(-this.socket.limits.chats)
      .map((state) => ({ ticket: state.ticket, ...positionOf(state) }));
  }

  private wanted(): ChatState[] {
    return this.all().filter(({ ticket }) => ticket && !this.gone.has(ticket));
  }

  private takeWelcome(welcome: Welcome): void {
    this.person = welcome.person;
    this.clockSkew = welcome.now - Date.now();
    this.pulling.clear();
    const attached = new Set(welcome.chats.map((answer) => answer.ticket));
    queueMicrotask(() => {
      for (const { ticket } of this.wanted()) if (!attached.has(ticket)) this.fetch(ticket, "attach");
      for (const topic of this.topics.keys()) this.askTopic(topic);
    });
  }

  private takePage(page: Page): void {
    const name = String(page.ticket);
    if (!this.states.has(name)) return; // another tab's
    this.change(page.ticket, { type: "page", page });
    // What a lost history had taken from us is on its way again, also where this page did not see it go the first time.
    if (page.reset) for (const item of this.socket.items()) if (item.chat === name && !item.acked) this.show(item);
    // A read marker may have been lost with the connection.
    const { me } = page.state;
    const read = this.get(page.ticket)?.reads[me] ?? 0;
    if (read > (page.reads[me] ?? 0)) this.socket.read(page.ticket, read);
  }

  private takeMissing(ticket: number): void {
    const opens = ({ chat, command, refused }: OutboxItem) => chat === String(ticket) && command.op === "open_chat" && !refused;
    if (!this.socket.items().some(opens)) this.gone.add(ticket);
    this.tell();
  }

  private takeFailure(item: OutboxItem, error: ErrorFrame): void {
    this.change(item.chat, { type: "failed", key: item.key, code: error.code });
    if (item.command.op === "take_chat" && !this.states.get(item.chat)?.info) this.states.delete(item.chat);
    if (error.code === "not_found" && Number(item.chat) > 0) this.takeMissing(Number(item.chat));
  }

  /** What was refused is in the log after all: its entry stands for it, or comes next. */
  private takeBack(item: OutboxItem): void {
    const state = this.get(item.chat);
    const known = state?.log.some(({ device, n }) => device === state.device && n === item.n);
    if (known) this.change(item.chat, { type: "discard", key: item.key });
    else this.show(item);
  }

  /** Other tabs have written, or taken something away. */
  private takeItems(items: readonly OutboxItem[]): void {
    for (const item of items) {
      const state = this.get(item.chat);
      const shown = state?.pending.find(({ key }) => key === item.key);
      if (!shown) {
        if (!item.acked && !state?.log.some(({ key }) => key === item.key)) this.show(item);
      } else {
        if (shown.n !== item.n) this.change(item.chat, { type: "numbered", key: item.key, n: item.n });
        if (item.refused && shown.status !== "failed") this.change(item.chat, { type: "failed", key: item.key, code: item.refused });
      }
    }
    const known = new Set(items.map(({ key }) => key));
    for (const [name, { pending }] of this.states) {
      for (const { key } of pending) if (!known.has(key)) this.change(name, { type: "discard", key });
    }
  }

  private name(chatKey: string, ticket: number): void {
    const state = this.states.get(chatKey);
    this.states.delete(chatKey);
    this.tickets.set(chatKey, String(ticket));
    this.put(String(ticket), { ...(state ?? newChat(ticket, this.reader, this.socket.device)), ticket });
  }

  private nameOf(chat: number | string): string {
    return this.tickets.get(String(chat)) ?? String(chat);
  }

  private show({ chat, key, n, at, command, refused }: OutboxItem): void {
    const kind = KINDS[command.op];
    if (!kind) return;
    if (!this.states.has(chat)) this.put(chat, newChat(Number(chat) || 0, this.reader, this.socket.device));
    const text = "text" in command ? command.text : undefined;
    const data = command.op === "rate_chat" ? { rating: command.rating } : undefined;
    this.change(chat, { type: "command", key, n, kind, text, data, at });
    if (refused) this.change(chat, { type: "failed", key, code: refused });
  }

  private change(chat: number | string, action: ChatAction): void {
    const name = this.nameOf(chat);
    const before = this.states.get(name);
    if (!before) return;
    const after = reduceChat(before, action);
    if (after === before) return;
    this.put(name, after);
    if (after.ticket) this.lookForHoles(after);
  }

  private put(name: string, state: ChatState): void {
    this.states.set(name, state);
    this.tell();
  }

  private tell(): void {
    if (this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      for (const listener of [...this.listeners]) listener();
    });
  }

  // ---- what is missing -----------------------------------------------------------------------------------------------------

  private lookForHoles(state: ChatState): void {
    const { ticket } = state;
    if (state.more) return this.fetch(ticket, "pull");
    const patience = this.patience.get(ticket);
    if (!needsPull(state)) {
      clearTimeout(patience?.timer);
      this.patience.delete(ticket);
    } else if (!patience) {
      this.wait(ticket, PATIENCE_MS);
    }
  }

  private wait(ticket: number, wait: number): void {
    const timer = setTimeout(() => {
      const state = this.get(ticket);
      if (!state || !needsPull(state)) return void this.patience.delete(ticket);
      this.fetch(ticket, "pull");
      this.wait(ticket, Math.min(2 * wait, PATIENCE_TOP_MS));
    }, wait);
    this.patience.set(ticket, { timer, wait });
  }

  private fetch(ticket: number, op: "attach" | "pull"): void {
    const state = this.get(ticket);
    if (!state || this.status.phase !== "online" || (op === "pull" && this.pulling.has(ticket))) return;
    this.pulling.add(ticket);
    const done = () => this.pulling.delete(ticket);
    this.socket.ask({ op, ticket, ...positionOf(state) }).then(
      () => {
        done();
        const after = this.get(ticket);
        if (after?.more) this.fetch(ticket, "pull");
      },
      (error) => {
        done();
        if (!(error instanceof CommandError)) return; // the next welcome attaches again
        const { code, retry_after_ms } = error.frame;
        if (code === "not_found") this.takeMissing(ticket);
        else if (code === "reset") this.fetch(ticket, "attach");
        else if (RETRIED.includes(code)) setTimeout(() => this.fetch(ticket, op), retry_after_ms ?? 1_000);
      },
    );
  }

  private askTopic(topic: Topic): void {
    this.socket.ask({ op: "watch", topic }).catch((error) => {
      if (!(error instanceof CommandError) || !RETRIED.includes(error.code)) return;
      setTimeout(() => this.topics.has(topic) && this.askTopic(topic), error.frame.retry_after_ms ?? 1_000);
    });
  }
}
