// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import type { Chats } from "./chats";
import { ack, attached, DEVICE, entry, FakeSocket, online, page, playTheServer, reserved, started, tick, TICKET } from "./fake_server";
import type { Entry } from "./protocol";
import { memoryStore } from "./storage";

playTheServer();

describe("the outbox on the wire", () => {
  const texts = (chats: Chats) => chats.get(TICKET)?.log.map((one) => one.text);

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
    expect(chats.socket.items()).toEqual([]);
  });

  it("asks how far the record is when `durable` does not come", async () => {
    const [chats, socket] = await attached();
    chats.postMessage(TICKET, "a");
    await tick();
    socket.say(ack(socket.got("post_message")[0].id, 1, 2));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(socket.got("pull")).toEqual([]);
    await vi.advanceTimersByTimeAsync(5_000);
    const [pull, ...more] = socket.got("pull");
    expect([pull.ticket, pull.seq, more]).toEqual([TICKET, 2, []]);
    const answer = page([]);
    socket.say({ ...answer, id: pull.id, top: 2, state: { ...answer.state, durable: 2 } });
    expect(chats.socket.items()).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.got("pull")).toHaveLength(1);
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

  it("does not give numbers away that arrived after a gap was told", async () => {
    const [chats, socket] = await attached();
    for (const text of ["a", "b", "c"]) chats.postMessage(TICKET, text);
    await tick();
    const [a, b, c] = socket.got("post_message");
    socket.say({ op: "error", id: c.id, code: "gap", message: "", last_n: 0 }); // the server held the others up
    socket.say(ack(a.id, 1, 2), ack(b.id, 2, 3), { op: "durable", ticket: TICKET, epoch: 7, seq: 3 });
    await tick();
    expect(socket.got("post_message").slice(3).map(({ n, text }) => [n, text])).toEqual([[3, "c"]]);
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

  it("takes back what was refused and stands in the history that was rebuilt", async () => {
    const [chats, socket] = await attached();
    for (const text of ["a", "b"]) chats.postMessage(TICKET, text);
    await tick();
    const [a, b] = socket.got("post_message");
    socket.say({ op: "error", id: a.id, code: "not_found", message: "" });
    socket.say({ op: "error", id: b.id, code: "unavailable", message: "", retry_after_ms: 9_000 });
    expect(chats.get(TICKET)?.pending).toMatchObject([{ text: "a", status: "failed" }, { text: "b", n: 1 }]);
    socket.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    const log = [entry(1, { epoch: 9 }), entry(2, { epoch: 9, device: DEVICE, n: 1, text: "a", participant: "cu" })];
    const next = await online(chats, page(log, { ok: undefined, reset: true, epoch: 9 }));
    expect(texts(chats)).toEqual(["text 1", "a"]);
    expect(chats.get(TICKET)?.pending).toMatchObject([{ text: "b", n: 2, status: "sending" }]);
    expect(next.got("post_message")).toMatchObject([{ n: 2, text: "b" }]);
  });

  it("does not believe a refusal of what it has seen in the log", async () => {
    const [chats, socket] = await attached();
    chats.postMessage(TICKET, "a");
    await tick();
    socket.say(entry(2, { device: DEVICE, n: 1, text: "a", participant: "cu" }));
    socket.say({ op: "error", id: socket.got("post_message")[0].id, code: "chat_closed", message: "" });
    expect(texts(chats)).toEqual(["text 1", "a"]);
    expect(chats.get(TICKET)?.pending).toEqual([]);
    expect(chats.socket.items()).toMatchObject([{ n: 1, acked: { seq: 2 } }]);
    expect(chats.socket.items()[0]?.refused).toBeUndefined();
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

  it("has a number for the chat before it opens it, and keeps that over connections", async () => {
    FakeSocket.reserves = false;
    const store = memoryStore();
    const chats = started(store);
    const { chat } = chats.open({ text: "hello" });
    const first = await online(chats);
    expect(first.got("open_chat")).toEqual([]);
    expect(first.got("reserve_ticket")).toMatchObject([{ chat_key: chat }]);
    first.die(1006);
    await vi.advanceTimersByTimeAsync(300);
    const next = await online(chats);
    next.say({ op: "error", id: next.got("reserve_ticket")[0].id, code: "unavailable", message: "no", retry_after_ms: 50 });
    await vi.advanceTimersByTimeAsync(60);
    next.say(reserved(next.got("reserve_ticket")[1].id));
    expect(next.got("open_chat")).toMatchObject([{ chat_key: chat, claim: "claim", text: "hello" }]);
    chats.socket.stop();
    const reloaded = await online(started(store));
    expect(reloaded.got("reserve_ticket")).toEqual([]);
    expect(reloaded.got("open_chat")).toMatchObject([{ chat_key: chat, claim: "claim", text: "hello" }]);
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
