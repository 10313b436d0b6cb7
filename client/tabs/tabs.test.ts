// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chats } from "../chats";
import { ack, entry, FakeSocket, online, page, playTheServer, TICKET, tick, welcome } from "../fake_server";
import { outboxKey } from "../outbox";
import { memoryStore, type Store } from "../storage";
import { PATIENCE_MS, VERSION } from "./channel";
import { FakeBrowser } from "./fake_browser";
import { SharedLine } from "./shared_line";

playTheServer();

let browser: FakeBrowser;
let store: Store;
let tabs: Tab[] = [];

interface Tab {
  chats: Chats;
  line: SharedLine;
  name: string;
}

beforeEach(() => {
  browser = new FakeBrowser();
  vi.stubGlobal("BroadcastChannel", browser.Channel);
  store = { ...memoryStore(), lasting: true };
});

afterEach(() => {
  for (const { line } of tabs.splice(0)) line.close();
  vi.unstubAllGlobals();
});

/** A new tab of the browser. */
async function open(name: string, kept = store): Promise<Tab> {
  const tab = browser.tab(name);
  const options = { url: "ws://here/ws", scope: "test", store: kept, getPass: async () => "pass", WebSocket: FakeSocket as unknown as typeof WebSocket };
  const opening = new SharedLine(options, tab.locks).open();
  await vi.advanceTimersByTimeAsync(3 * PATIENCE_MS);
  const line = await opening;
  const chats = new Chats({ reader: "customer", line: (hooks) => line.attach(hooks) });
  chats.attach(TICKET);
  chats.socket.start();
  await tick();
  const opened = { chats, line, name };
  tabs.push(opened);
  return opened;
}

const texts = ({ chats }: Tab) => chats.get(TICKET)?.log.map((one) => one.text);
const pending = ({ chats }: Tab) => chats.get(TICKET)?.pending.map(({ text, status }) => `${text} ${status}`);

/** Two tabs, the first with the socket. */
async function two(): Promise<[Tab, Tab, FakeSocket]> {
  const one = await open("one");
  const socket = await online(one.chats, page([entry(1)]));
  const other = await open("two");
  socket.say({ ...page([entry(1)]), id: socket.got("attach").at(-1).id });
  await tick();
  return [one, other, socket];
}

describe("two tabs", () => {
  it("have one socket, and show the same", async () => {
    const [one, other, socket] = await two();
    expect(FakeSocket.all).toHaveLength(1);
    expect(other.chats.status.phase).toBe("online");
    other.chats.postMessage(TICKET, "a");
    one.chats.postMessage(TICKET, "b");
    await tick();
    expect(socket.got("post_message").map(({ n, text }) => [n, text]).sort()).toEqual([[1, "b"], [2, "a"]]);
    for (const tab of [one, other]) expect(pending(tab)).toEqual(expect.arrayContaining(["a sending", "b sending"]));
    const [first, second] = socket.got("post_message");
    socket.say(ack(first.id, 1, 2), ack(second.id, 2, 3), { op: "durable", ticket: TICKET, epoch: 7, seq: 3 });
    await tick();
    for (const tab of [one, other]) {
      expect(texts(tab)).toEqual(["text 1", "b", "a"]);
      expect(pending(tab)).toEqual([]);
      expect(tab.chats.socket.items()).toEqual([]);
    }
    expect(store.keys("test.letter.")).toEqual([]);
  });

  it("say that they are offline together", async () => {
    const [one, other, socket] = await two();
    dispatchEvent(new Event("offline"));
    await tick();
    for (const { chats } of [one, other]) expect(chats.shownStatus.phase).toBe("offline");
    expect(socket.readyState).toBe(3);
  });

  it("show what was refused in both, until one takes it away", async () => {
    const [one, other, socket] = await two();
    const { key, done } = other.chats.postMessage(TICKET, "long");
    await tick();
    socket.say({ op: "error", id: socket.got("post_message")[0].id, code: "too_big", message: "no" });
    await tick();
    await expect(done).rejects.toMatchObject({ code: "too_big" });
    for (const tab of [one, other]) expect(pending(tab)).toEqual(["long failed"]);
    other.chats.discard(TICKET, key);
    await tick();
    for (const tab of [one, other]) expect(pending(tab)).toEqual([]);
  });

  it("leave a chat attached as long as one of them looks at it", async () => {
    const [one, other, socket] = await two();
    one.chats.detach(TICKET);
    await tick();
    expect(socket.got("detach")).toEqual([]);
    other.chats.detach(TICKET);
    await tick();
    expect(socket.got("detach")).toHaveLength(1);
  });

  it("have the hidden one, whose timers are late, do what is due", async () => {
    const [, , socket] = await two();
    vi.mocked(Math.random).mockReturnValue(0.999);
    socket.die(1006);
    await tick();
    vi.setSystemTime(Date.now() + 400); // no timer has run
    const watched = new BroadcastChannel(`test.v${VERSION}`);
    watched.postMessage({ m: "ping", from: "two" });
    await Promise.resolve();
    expect(FakeSocket.all, "not before its time").toHaveLength(1);
    vi.setSystemTime(Date.now() + 100);
    watched.postMessage({ m: "ping", from: "two" });
    for (let turn = 0; turn < 9; turn++) await Promise.resolve();
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("catch up when a word between them was lost", async () => {
    const [, other, socket] = await two();
    browser.deaf("two", () => socket.say(entry(2)));
    await tick();
    expect(texts(other)).toEqual(["text 1"]);
    socket.say({ op: "event", topic: "chat", ticket: TICKET, type: "typing", participant: "ag" });
    await tick();
    const asked = socket.got("attach").at(-1);
    expect(asked).toMatchObject({ ticket: TICKET, seq: 1 });
    socket.say({ ...page([entry(2)]), id: asked.id });
    await tick();
    expect(texts(other)).toEqual(["text 1", "text 2"]);
  });
});

describe("when the tab with the socket goes", () => {
  /** The other tab's connection, once it has one. */
  async function taken(socket: FakeSocket, seq = 1): Promise<FakeSocket> {
    await tick();
    const next = FakeSocket.last;
    expect(next).not.toBe(socket);
    next.open();
    expect(next.sent[0].device).toBe(socket.sent[0].device);
    next.say(welcome({ id: next.got("hello")[0].id, chats: [page([], { top: seq })] }));
    await tick();
    return next;
  }

  it("the next one sends what it had, under the same numbers", async () => {
    const [one, other, socket] = await two();
    one.chats.postMessage(TICKET, "a");
    other.chats.postMessage(TICKET, "b");
    await tick();
    browser.kill("one");
    const next = await taken(socket);
    expect(next.got("post_message").map(({ n, text }) => [n, text])).toEqual([[1, "a"], [2, "b"]]);
    expect(pending(other)).toEqual(["a sending", "b sending"]);
  });

  it("the next one also sends letters that nobody had read", async () => {
    const [, other, socket] = await two();
    browser.freeze("one");
    other.chats.postMessage(TICKET, "a");
    browser.kill("one");
    const next = await taken(socket);
    expect(next.got("post_message")).toMatchObject([{ n: 1, text: "a" }]);
    expect(store.keys("test.letter.")).toEqual([]);
  });

  it("the next one knows of what the store had not got yet", async () => {
    const [one, , socket] = await two();
    one.chats.postMessage(TICKET, "a");
    await tick();
    const { device } = socket.sent[0];
    store.remove(outboxKey("test", device));
    browser.kill("one");
    const next = await taken(socket);
    expect(next.got("post_message")).toMatchObject([{ n: 1, text: "a" }]);
  });

  it("a third one takes each letter once, though its author says it again", async () => {
    const [, other, socket] = await two();
    const third = await open("three");
    socket.say({ ...page([entry(1)]), id: socket.got("attach").at(-1).id });
    browser.freeze("one");
    third.chats.postMessage(TICKET, "a");
    await tick();
    browser.kill("one");
    const next = await taken(socket);
    expect(next.got("post_message")).toMatchObject([{ n: 1, text: "a" }]);
    next.say(ack(next.got("post_message")[0].id, 1, 2), { op: "durable", ticket: TICKET, epoch: 7, seq: 2 });
    await tick();
    for (const tab of [other, third]) expect(pending(tab)).toEqual([]);
    browser.repeatLetters();
    await tick();
    expect(next.got("post_message")).toHaveLength(1);
    for (const tab of [other, third]) expect(tab.chats.socket.items()).toEqual([]);
  });
});

describe("a letter that the store has not got yet", () => {
  it("is said again to whoever has the socket next", async () => {
    const [, other, socket] = await two();
    const third = await open("three");
    socket.say({ ...page([entry(1)]), id: socket.got("attach").at(-1).id });
    browser.freeze("one");
    third.chats.postMessage(TICKET, "a");
    for (const key of store.keys("test.letter.")) store.remove(key);
    browser.kill("one");
    await tick();
    expect(other.chats.socket.items()).toMatchObject([{ n: 1, command: { text: "a" } }]);
    expect(third.chats.socket.items()).toMatchObject([{ n: 1, command: { text: "a" } }]);
  });
});

describe("when the tab with the socket is frozen", () => {
  it("another one takes over, and the frozen one follows when it wakes up", async () => {
    const [one, other, socket] = await two();
    one.chats.postMessage(TICKET, "a");
    await tick();
    socket.say(ack(socket.got("post_message")[0].id, 1, 2));
    await tick();
    browser.freeze("one");
    other.chats.postMessage(TICKET, "b");
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    const next = FakeSocket.last;
    expect(next).not.toBe(socket);
    next.open();
    next.say(welcome({ id: 1, chats: [page([], { top: 2 })] }));
    expect(next.got("post_message")).toMatchObject([{ n: 2, text: "b" }]);
    // It has not heard of the other's term yet: what the store says must be enough.
    const before = store.get(outboxKey("test", socket.sent[0].device));
    socket.say({ op: "durable", ticket: TICKET, epoch: 7, seq: 2 });
    expect(store.get(outboxKey("test", socket.sent[0].device))).toEqual(before);
    one.chats.postMessage(TICKET, "c"); // the first thing that it does again, before it hears anything
    browser.wake("one");
    await tick();
    expect(next.got("post_message")).toMatchObject([{ n: 2, text: "b" }, { n: 3, text: "c" }]);
    expect(socket.got("post_message")).toHaveLength(1);
    expect(one.chats.status.phase).toBe("online");
    expect(pending(one)).toEqual(["b sending", "c sending"]);
  });

  it("gives what is written in it first of all to the one that has taken over", async () => {
    const [one, other] = await two();
    browser.freeze("one");
    other.chats.postMessage(TICKET, "a");
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    one.chats.postMessage(TICKET, "b");
    browser.wake("one");
    await tick();
    for (const { chats } of [one, other]) {
      expect(chats.socket.items().map(({ n, command }) => [n, "text" in command && command.text])).toEqual([[1, "a"], [2, "b"]]);
    }
  });

  it("hears of it by its connection too: 4409 is not the end", async () => {
    const [one, other, socket] = await two();
    browser.freeze("one");
    other.chats.postMessage(TICKET, "b");
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    const shown: string[] = [];
    one.chats.subscribe(() => shown.push(one.chats.shownStatus.phase));
    socket.die(4409);
    await tick();
    expect(shown).not.toContain("stopped");
    expect(one.chats.status.phase).toBe("connecting");
  });
});

describe("tabs that cannot hear each other", () => {
  it("have a socket and a device each", async () => {
    browser.mute();
    const one = await open("one");
    const two = await open("two");
    await vi.advanceTimersByTimeAsync(10 * PATIENCE_MS);
    const devices = new Set(
      FakeSocket.all.map((socket) => {
        socket.open();
        return socket.sent.at(-1)?.device;
      }),
    );
    expect(devices.size).toBeGreaterThan(1);
    one.chats.postMessage(TICKET, "a");
    two.chats.postMessage(TICKET, "b");
    expect([one.line.status.phase, two.line.status.phase]).toEqual(["connecting", "connecting"]);
    expect(one.line.device).not.toBe(two.line.device);
  });
});
