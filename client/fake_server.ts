/** The server, as far as tests of the client need it: they say what it says, over a WebSocket that is none. */

import { afterEach, beforeEach, vi } from "vitest";
import { Chats, type ChatsOptions } from "./chats";
import type { Ack, Entry, Page, Welcome } from "./protocol";
import { randomId } from "./random";
import { ChatSocket } from "./socket";
import { memoryStore, type Store } from "./storage";

export const TICKET = 100_009;
export const DEVICE = "device-of-this-tab";

/** The browser's WebSocket as far as the client uses it; the test plays the server. */
export class FakeSocket {
  static all: FakeSocket[] = [];
  /** Whether tickets are reserved without the test. */
  static reserves = true;
  static get last(): FakeSocket {
    return FakeSocket.all.at(-1)!;
  }

  readyState = 0;
  sent: any[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.all.push(this);
  }

  send(text: string) {
    const frame = JSON.parse(text);
    this.sent.push(frame);
    if (frame.op === "reserve_ticket" && FakeSocket.reserves) queueMicrotask(() => this.say(reserved(frame.id)));
  }

  close() {
    this.readyState = 3;
  }

  // ---- the server's side ----

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  say(...frames: object[]) {
    this.onmessage?.({ data: frames.map((frame) => JSON.stringify(frame)).join("\n") });
  }

  die(code: number) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** Commands of this kind, in the order they came. */
  got(op: string): any[] {
    return this.sent.filter((frame) => frame.op === op);
  }
}

export const page = (entries: Entry[] = [], more: Partial<Page> = {}): Page => ({
  op: "page",
  ticket: TICKET,
  ok: true,
  epoch: 7,
  top: entries.at(-1)?.seq ?? 0,
  state: { state: "active", mode: "live", department: { id: "d", name: "Help" }, me: "cu", opened_at: 0, participants: [], durable: 0 },
  reads: {},
  entries,
  more: false,
  ...more,
});

export const entry = (seq: number, more: Partial<Entry> = {}): Entry =>
  ({ op: "entry", epoch: 7, seq, prev: seq - 1, at: seq, entry_id: `e${seq}`, audience: "all", ticket: TICKET, kind: "message", role: "agent", participant: "ag", text: `text ${seq}`, ...more }) as Entry;

export const ack = (id: number, n: number, seq: number, more: Partial<Ack> = {}): Ack => ({ op: "ack", id, ticket: TICKET, n, seq, prev: seq - 1, epoch: 7, entry_id: `e${seq}`, at: seq, ...more });

export const reserved = (id: number) => ({ op: "ack", id, ticket: TICKET, claim: "claim" });

export const welcome = (more: Partial<Welcome> = {}): Welcome => ({
  op: "welcome",
  id: 1,
  connection: "c",
  now: 0,
  person: { id: "p", role: "customer" },
  limits: { frame_bytes: 32_768, text_chars: 4_096, in_flight: 16, chats: 4, page_entries: 200 },
  ping_every: 25_000,
  resume_token: "resume",
  chats: [],
  ...more,
});

let passes = 0;

function start(store: Store = memoryStore(), getPass = async () => `pass ${++passes}`, opened?: ChatsOptions["opened"]): Chats {
  const options = { url: "ws://here/ws", scope: "test", device: DEVICE, newDevice: randomId, store, getPass };
  const chats = new Chats({
    reader: "customer",
    opened,
    line: (hooks) => new ChatSocket({ ...options, ...hooks, WebSocket: FakeSocket as unknown as typeof WebSocket }),
  });
  chats.socket.start();
  return chats;
}

export const tick = () => vi.advanceTimersByTimeAsync(0);

/** A client that is online, attached to the chat when it knows it. */
export async function online(_: Chats, ...chatPages: (Page | { ticket: number; error: "not_found" })[]): Promise<FakeSocket> {
  await tick();
  const socket = FakeSocket.last;
  socket.open();
  socket.say(welcome({ id: socket.got("hello")[0].id, chats: chatPages }));
  await tick();
  return socket;
}

const running: Chats[] = [];

export const started = (...args: Parameters<typeof start>): Chats => {
  const chats = start(...args);
  running.push(chats);
  return chats;
};

/** A client that is online, with a chat of one entry. */
export async function attached(store?: Store): Promise<[Chats, FakeSocket]> {
  const chats = started(store);
  chats.attach(TICKET);
  return [chats, await online(chats, page([entry(1)]))];
}

/** Call it at the top of a test file: time stands still, chance is 0.5, and each test begins without sockets. */
export function playTheServer(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    FakeSocket.all = [];
    FakeSocket.reserves = true;
    passes = 0;
  });
  afterEach(() => {
    for (const chats of running.splice(0)) chats.socket.stop();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}
