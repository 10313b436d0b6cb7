// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chats } from "./chats";
import { HttpError } from "./http";
import type { Ack, Entry, Page, ServerFrame, Welcome } from "./protocol";
import { memoryStore, type Store } from "./storage";

const TICKET = 100_009;
const DEVICE = "device-of-this-tab";

/** The browser's WebSocket as far as the client uses it; the test plays the server. */
class FakeSocket {
  static all: FakeSocket[] = [];
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
    this.sent.push(JSON.parse(text));
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

const page = (entries: Entry[] = [], more: Partial<Page> = {}): Page => ({
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

const entry = (seq: number, more: Partial<Entry> = {}): Entry =>
  ({ op: "entry", epoch: 7, seq, prev: seq - 1, at: seq, entry_id: `e${seq}`, audience: "all", ticket: TICKET, kind: "message", role: "agent", participant: "ag", text: `text ${seq}`, ...more }) as Entry;

const ack = (id: number, n: number, seq: number, more: Partial<Ack> = {}): Ack => ({ op: "ack", id, ticket: TICKET, n, seq, prev: seq - 1, epoch: 7, entry_id: `e${seq}`, at: seq, ...more });

const welcome = (more: Partial<Welcome> = {}): Welcome => ({
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

function start(store: Store = memoryStore(), getPass = async () => `pass ${++passes}`): Chats {
  const chats = new Chats({ reader: "customer", url: "ws://here/ws", scope: "test", device: DEVICE, store, getPass, WebSocket: FakeSocket as unknown as typeof WebSocket });
  chats.socket.start();
  return chats;
}

const tick = () => vi.advanceTimersByTimeAsync(0);

/** A client that is online, attached to the chat when it knows it. */
async function online(_: Chats, ...chatPages: (Page | { ticket: number; error: "not_found" })[]): Promise<FakeSocket> {
  await tick();
  const socket = FakeSocket.last;
  socket.open();
  socket.say(welcome({ id: socket.got("hello")[0].id, chats: chatPages }));
  await tick();
  return socket;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  FakeSocket.all = [];
  passes = 0;
});

const running: Chats[] = [];
const started = (...args: Parameters<typeof start>): Chats => {
  const chats = start(...args);
  running.push(chats);
  return chats;
};

afterEach(() => {
  for (const chats of running.splice(0)) chats.socket.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a connection", () => {
  it("says hello with a pass, later with the resume token and its positions", async () => {
    const chats = started();
    const first = await online(chats);
    expect([first.url, first.protocol]).toEqual(["ws://here/ws", "chat.v1.json"]);
    expect(first.sent[0]).toMatchObject({ op: "hello", pass: "pass 1", device: DEVICE, chats: [] });
    chats.attach(TICKET);
    first.say({ ...page([entry(1), entry(2)]), id: first.got("attach")[0].id });
    await tick();
    first.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    FakeSocket.last.open();
    expect(FakeSocket.last.sent[0]).toMatchObject({ op: "hello", resume_token: "resume", chats: [{ ticket: TICKET, epoch: 7, seq: 2, entry_id: "e2" }] });
    expect(FakeSocket.last.sent[0].pass).toBeUndefined();
  });

  it("comes back after a random time that grows up to 20 s", async () => {
    const chats = started();
    const waits: number[] = [];
    for (let tries = 0; tries < 8; tries += 1) {
      await tick();
      FakeSocket.last.die(1006);
      const { status } = chats;
      if (status.phase !== "waiting") throw new Error(status.phase);
      waits.push(status.retryAt - Date.now());
      await vi.advanceTimersByTimeAsync(status.retryAt - Date.now());
    }
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(chats.status).toMatchObject({ phase: "connecting" });
  });

  it("says so when passes work but no socket opens", async () => {
    const chats = started();
    for (let tries = 0; tries < 3; tries += 1) {
      await vi.advanceTimersByTimeAsync(2_000);
      FakeSocket.last.die(1006);
    }
    expect(chats.status).toMatchObject({ phase: "waiting", blocked: true });
  });

  it("gets one new pass after 4401, then stops", async () => {
    const chats = started();
    await tick();
    FakeSocket.last.open();
    FakeSocket.last.die(4401);
    await tick();
    expect(FakeSocket.all).toHaveLength(2);
    FakeSocket.last.open();
    expect(FakeSocket.last.sent[0].pass).toBe("pass 2");
    FakeSocket.last.die(4401);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(2);
    expect(chats.status).toMatchObject({ phase: "stopped", code: 4401 });
  });

  it.each([4400, 4403, 4409, 4429, 1009, 1002, 1003, 1007, 1008])("stops on %i", async (code) => {
    const chats = started();
    (await online(chats)).die(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(chats.status).toMatchObject({ phase: "stopped", code });
    expect(FakeSocket.all).toHaveLength(1);
  });

  it.each([4001, 4002, 4003, 4004, 4005, 4008, 1001, 1006, 1011, 1012, 1013])("comes back after %i", async (code) => {
    const chats = started();
    (await online(chats)).die(code);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(FakeSocket.all.length).toBeGreaterThan(1);
  });

  it("waits as long as the bye says", async () => {
    const chats = started();
    const socket = await online(chats);
    socket.say({ op: "bye", after_ms: 3_000, reconnect: true });
    expect(socket.readyState).toBe(3);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("answers pings, and leaves a connection that went silent", async () => {
    const chats = started();
    const socket = await online(chats);
    await vi.advanceTimersByTimeAsync(40_000);
    socket.say({ op: "ping" });
    expect(socket.got("pong")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(45_000);
    expect(chats.status.phase).toBe("online");
    await vi.advanceTimersByTimeAsync(40_000);
    expect(FakeSocket.all.length).toBeGreaterThan(1);
  });

  it("waits for the network, and connects at once when it is back", async () => {
    const chats = started();
    await online(chats);
    dispatchEvent(new Event("offline"));
    expect(chats.status.phase).toBe("offline");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    dispatchEvent(new Event("online"));
    await tick();
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("asks again for a pass while the server is away, and stops when it refuses one", async () => {
    const answers = [new HttpError(503, "unavailable", "later"), new HttpError(404, "not_found", "no such site")];
    const chats = started(memoryStore(), () => Promise.reject(answers.shift()));
    await tick();
    expect(chats.status).toMatchObject({ phase: "waiting", blocked: false });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(chats.status).toMatchObject({ phase: "stopped", code: 404, message: "no such site" });
  });
});

describe("the outbox on the wire", () => {
  const texts = (chats: Chats) => chats.get(TICKET)?.log.map((one) => one.text);

  async function attached(store?: Store): Promise<[Chats, FakeSocket]> {
    const chats = started(store);
    chats.attach(TICKET);
    return [chats, await online(chats, page([entry(1)]))];
  }

  it("sends what was not acknowledged again, under the same numbers", async () => {
    const [chats, socket] = await attached();
    for (const text of ["a", "b", "c"]) chats.postMessage(TICKET, text);
    await tick();
    expect(socket.got("post_message").map(({ n, text }) => [n, text])).toEqual([[1, "a"], [2, "b"], [3, "c"]]);
    socket.say(ack(socket.got("post_message")[0].id, 1, 2));
    socket.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    const next = await online(chats, page([entry(3, { device: DEVICE, n: 2, text: "b" })]));
    expect(next.got("post_message").map(({ n, text }) => [n, text])).toEqual([[3, "c"]]);
    next.say(ack(next.got("post_message")[0].id, 3, 4), { op: "durable", ticket: TICKET, epoch: 7, seq: 4 });
    expect(texts(chats)).toEqual(["text 1", "a", "b", "c"]);
    expect(chats.socket.outbox.all()).toEqual([]);
  });

  it("survives a reload", async () => {
    const store = memoryStore();
    const [chats] = await attached(store);
    dispatchEvent(new Event("offline"));
    chats.postMessage(TICKET, "kept");
    chats.socket.stop();
    const [again, socket] = await attached(store);
    expect(socket.got("post_message")).toMatchObject([{ n: 1, text: "kept" }]);
    expect(again.get(TICKET)?.pending).toMatchObject([{ text: "kept", status: "sending" }]);
  });

  it("repeats an undecided command later with its number, and what followed it", async () => {
    const [chats, socket] = await attached();
    chats.postMessage(TICKET, "a");
    chats.postMessage(TICKET, "b");
    await tick();
    const [a, b] = socket.got("post_message");
    socket.say({ op: "error", id: a.id, code: "unavailable", message: "", retry_after_ms: 2_000 });
    socket.say({ op: "error", id: b.id, code: "gap", message: "", last_n: 0 });
    await vi.advanceTimersByTimeAsync(1_900);
    expect(socket.got("post_message")).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(200);
    expect(socket.got("post_message").slice(2).map(({ n, text }) => [n, text])).toEqual([[1, "a"], [2, "b"]]);
  });

  it("drops a refused command and renumbers what follows", async () => {
    const [chats, socket] = await attached();
    const { done } = chats.postMessage(TICKET, "too long");
    chats.postMessage(TICKET, "fine");
    await tick();
    const [long, fine] = socket.got("post_message");
    socket.say({ op: "error", id: long.id, code: "too_big", message: "The text is too long." });
    await expect(done).rejects.toMatchObject({ code: "too_big" });
    await tick();
    expect(socket.got("post_message")).toHaveLength(2); // the answer to the other is on the way
    socket.say({ op: "error", id: fine.id, code: "gap", message: "", last_n: 0 });
    await tick();
    const again = socket.got("post_message")[2];
    expect(again).toMatchObject({ n: 1, text: "fine" });
    socket.say(ack(again.id, 1, 2));
    expect(chats.get(TICKET)?.pending).toMatchObject([{ text: "too long", status: "failed", code: "too_big" }]);
    expect(texts(chats)).toEqual(["text 1", "fine"]);
  });

  it("has at most 16 commands of a chat on the way", async () => {
    const [chats, socket] = await attached();
    for (let count = 0; count < 20; count += 1) chats.postMessage(TICKET, `m${count}`);
    await tick();
    expect(socket.got("post_message")).toHaveLength(16);
    socket.say(ack(socket.got("post_message")[0].id, 1, 2));
    expect(socket.got("post_message").at(-1)).toMatchObject({ n: 17 });
  });

  it("sends what was lost again after a reset", async () => {
    const [chats, socket] = await attached();
    chats.postMessage(TICKET, "a");
    await tick();
    socket.say(ack(socket.got("post_message")[0].id, 1, 2));
    socket.die(4003);
    await vi.advanceTimersByTimeAsync(300);
    const next = await online(chats, page([entry(1, { epoch: 9 })], { ok: undefined, reset: true, epoch: 9 }));
    expect(next.got("post_message")).toMatchObject([{ n: 1, text: "a" }]);
    next.say(ack(next.got("post_message")[0].id, 1, 2, { epoch: 9, entry_id: "new" }));
    expect(texts(chats)).toEqual(["text 1", "a"]);
  });

  it("goes on as another device when a number was used for something else", async () => {
    const [chats, socket] = await attached();
    chats.postMessage(TICKET, "a");
    await tick();
    socket.say({ op: "error", id: socket.got("post_message")[0].id, code: "conflict", message: "" });
    const next = await online(chats, page());
    expect(next.got("hello")[0]).toMatchObject({ pass: "pass 2" });
    expect(next.got("hello")[0].device).not.toBe(DEVICE);
    expect(next.got("post_message")).toMatchObject([{ n: 1, text: "a" }]);
  });

  it("repeats open_chat unchanged until it has a ticket, then sends what was written meanwhile", async () => {
    const chats = started();
    const { chat, done } = chats.open({ text: "hello", topic: "Returns" });
    chats.postMessage(chat, "one more thing");
    const first = await online(chats);
    expect(first.got("open_chat")).toMatchObject([{ chat_key: chat, text: "hello", topic: "Returns" }]);
    expect(first.got("post_message")).toEqual([]);
    first.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    const next = await online(chats);
    const { id: _, ...before } = first.got("open_chat")[0];
    expect(next.got("open_chat")[0]).toMatchObject(before);
    const log = [entry(1, { kind: "opened", text: undefined, role: "customer", participant: "cu" } as Partial<Entry>), entry(2, { text: "hello", device: DEVICE, n: 1, participant: "cu" })];
    next.say(ack(next.got("open_chat")[0].id, 1, 2, { access_code: "7K3MPQ2XWA", claim: "claim", page: page(log) }));
    expect((await done).ticket).toBe(TICKET);
    await tick();
    expect(next.got("post_message")).toMatchObject([{ ticket: TICKET, n: 2, text: "one more thing" }]);
    expect(chats.get(chat)?.ticket).toBe(TICKET);
    expect(chats.get(chat)?.pending).toMatchObject([{ text: "one more thing", n: 2 }]);
  });

  it("opens a chat that the server lost again, with its claim", async () => {
    const chats = started();
    const { chat } = chats.open({ text: "hello" });
    const first = await online(chats);
    first.say(ack(first.got("open_chat")[0].id, 1, 2, { claim: "claim", page: page() }));
    first.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    const next = await online(chats, { ticket: TICKET, error: "not_found" });
    expect(next.got("open_chat")).toMatchObject([{ chat_key: chat, claim: "claim", text: "hello" }]);
    expect(chats.isGone(TICKET)).toBe(false);
  });
});

describe("what is missing", () => {
  it("is asked for after 300 ms, unless it comes", async () => {
    const chats = started();
    chats.attach(TICKET);
    const socket = await online(chats, page([entry(1)]));
    socket.say(entry(3));
    await vi.advanceTimersByTimeAsync(200);
    socket.say(entry(2));
    await vi.advanceTimersByTimeAsync(500);
    expect(socket.got("pull")).toEqual([]);
    socket.say(entry(5));
    await vi.advanceTimersByTimeAsync(310);
    expect(socket.got("pull")).toMatchObject([{ ticket: TICKET, epoch: 7, seq: 3, entry_id: "e3" }]);
    socket.say({ ...page([entry(4), entry(5)]), id: socket.got("pull")[0].id });
    expect(chats.get(TICKET)?.log.map((one) => one.seq)).toEqual([1, 2, 3, 4, 5]);
  });

  it("is pulled page by page", async () => {
    const chats = started();
    chats.attach(TICKET);
    const socket = await online(chats, page([entry(1), entry(2)], { more: true, top: 3 }));
    expect(socket.got("pull")).toMatchObject([{ seq: 2 }]);
    socket.say({ ...page([entry(3)]), id: socket.got("pull")[0].id });
    await tick();
    expect(chats.get(TICKET)?.log).toHaveLength(3);
    expect(socket.got("pull")).toHaveLength(1);
  });

  it("is known to be gone when the server says so", async () => {
    const chats = started();
    chats.attach(TICKET);
    await online(chats, { ticket: TICKET, error: "not_found" });
    expect(chats.isGone(TICKET)).toBe(true);
  });
});

describe("topics", () => {
  it("are watched again after each reconnect", async () => {
    const chats = started();
    const seen: (ServerFrame | number)[] = [];
    chats.watch("department:d", { snapshot: ({ version }) => seen.push(version), event: (event) => seen.push(event.version) });
    const socket = await online(chats);
    socket.say({ op: "snapshot", id: socket.got("watch")[0].id, topic: "department:d", version: 4, state: { waiting: [], count: 0 } });
    socket.say({ op: "event", topic: "department:d", version: 5, type: "left", ticket: TICKET });
    await tick();
    socket.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    expect((await online(chats)).got("watch")).toHaveLength(1);
    expect(seen).toEqual([4, 5]);
  });
});
