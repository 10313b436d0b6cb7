// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { ack, attached, entry, online, page, playTheServer, started, TICKET, tick } from "./fake_server";
import type { ServerFrame } from "./protocol";
import { memoryStore } from "./storage";

playTheServer();

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

describe("a refused message", () => {
  it("is there after a reload, and goes out again as a new one", async () => {
    const store = memoryStore();
    const [chats, socket] = await attached(store);
    chats.postMessage(TICKET, "a", { gen: 1 });
    await tick();
    socket.say({ op: "error", id: socket.got("post_message")[0].id, code: "stale_gen", message: "no" });
    chats.socket.stop();
    const [again, next] = await attached(store);
    const [failed] = again.get(TICKET)!.pending;
    expect(failed).toMatchObject({ text: "a", status: "failed", code: "stale_gen" });
    expect(next.got("post_message")).toEqual([]);
    again.retry(TICKET, failed!.key, { gen: 3 });
    await tick();
    expect(next.got("post_message")).toMatchObject([{ n: 1, text: "a", gen: 3 }]);
    expect(again.get(TICKET)!.pending).toMatchObject([{ text: "a", status: "sending" }]);
  });

  it("is gone when its author takes it away", async () => {
    const [chats, socket] = await attached();
    const { key } = chats.postMessage(TICKET, "a");
    await tick();
    socket.say({ op: "error", id: socket.got("post_message")[0].id, code: "too_big", message: "no" });
    chats.discard(TICKET, key);
    expect(chats.get(TICKET)!.pending).toEqual([]);
    expect(chats.socket.items()).toEqual([]);
  });

  it("of a chat that could not be opened opens it first", async () => {
    const chats = started();
    const socket = await online(chats);
    const { chat } = chats.open({ text: "hello", order: "x".repeat(9_999) });
    const more = chats.postMessage(chat, "more");
    await tick();
    socket.say({ op: "error", id: socket.got("open_chat")[0].id, code: "invalid", message: "no" });
    expect(chats.get(chat)!.pending.map(({ status }) => status)).toEqual(["failed", "failed"]);
    chats.retry(chat, more.key);
    await tick();
    expect(socket.got("open_chat")).toHaveLength(2);
    socket.say({ ...ack(socket.got("open_chat")[1].id, 1, 2), access_code: "7K3MPQ2XWA", page: page([entry(1), entry(2)]) });
    await tick();
    expect(socket.got("post_message")).toMatchObject([{ ticket: TICKET, n: 2, text: "more" }]);
  });
});

describe("a chat that got its ticket", () => {
  it("is told with its access code, after a reload too", async () => {
    const store = memoryStore();
    const chats = started(store);
    const { chat } = chats.open({ text: "hello" });
    chats.socket.stop();
    const opened: unknown[] = [];
    const socket = await online(started(store, undefined, (...what) => opened.push(what)));
    socket.say({ ...ack(socket.got("open_chat")[0].id, 1, 2), access_code: "7K3MPQ2XWA", page: page([entry(1), entry(2)]) });
    expect(opened).toEqual([[chat, TICKET, "7K3MPQ2XWA"]]);
  });
});

describe("a read marker", () => {
  it("is said again when the server has not heard of it", async () => {
    const [chats, socket] = await attached();
    chats.read(TICKET);
    expect(socket.got("read")).toEqual([{ op: "read", ticket: TICKET, seq: 1 }]);
    socket.die(1006);
    chats.read(TICKET);
    await vi.advanceTimersByTimeAsync(300);
    const next = await online(chats, page([]));
    expect(next.got("read")).toEqual([{ op: "read", ticket: TICKET, seq: 1 }]);
    next.die(1006);
    await vi.advanceTimersByTimeAsync(600);
    const last = await online(chats, page([], { reads: { cu: 1 } }));
    expect(last.got("read")).toEqual([]);
  });
});
