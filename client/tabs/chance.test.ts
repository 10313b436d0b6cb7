// @vitest-environment happy-dom
/** Tabs are opened, closed, frozen and cut off at random while all of them write: the server has each message once, in its author's order. */

import { afterEach, describe, expect, it, vi } from "vitest";
import { Chats } from "../chats";
import { ack, entry, FakeSocket, page, playTheServer, TICKET, tick, welcome } from "../fake_server";
import type { Entry } from "../protocol";
import { memoryStore, type Store } from "../storage";
import { PATIENCE_MS } from "./channel";
import { FakeBrowser } from "./fake_browser";
import { SharedLine } from "./shared_line";

playTheServer();
afterEach(() => vi.unstubAllGlobals());

/** Repeatable "random" numbers. */
function dice(seed: number) {
  return (sides: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * sides);
  };
}

/** A server that numbers, remembers and refuses as docs/protocol.md says. */
class Server {
  log: Entry[] = [entry(1)];
  private at = new Map<FakeSocket, number>();
  private online = new Set<FakeSocket>();
  /** By device: the seq of each `n`. */
  private done = new Map<string, number[]>();

  constructor(private readonly reachable: (socket: FakeSocket) => boolean) {}

  /** Answers what has come since. */
  turn(): void {
    for (const socket of FakeSocket.all) {
      if (!this.reachable(socket)) continue;
      if (socket.readyState === 0) socket.open();
      const from = this.at.get(socket) ?? 0;
      this.at.set(socket, socket.sent.length);
      for (const frame of socket.sent.slice(from)) if (socket.readyState === 1) this.answer(socket, frame);
    }
  }

  cut(socket: FakeSocket): void {
    this.online.delete(socket);
    if (socket.readyState === 1) socket.die(1006);
  }

  commit(): void {
    for (const socket of this.online) socket.say({ op: "ping" }, { op: "durable", ticket: TICKET, epoch: 7, seq: this.log.length });
  }

  private answer(socket: FakeSocket, frame: any): void {
    const device: string = socket.sent[0].device;
    switch (frame.op) {
      case "hello":
        for (const other of this.online) {
          if (other.sent[0].device !== device) continue;
          this.online.delete(other);
          if (this.reachable(other)) other.die(4409);
        }
        this.online.add(socket);
        return socket.say(welcome({ id: frame.id, chats: frame.chats.map(({ seq = 0 }) => this.page(seq)) }));
      case "attach":
      case "pull":
        return socket.say({ ...this.page(frame.seq ?? 0), id: frame.id });
      case "post_message": {
        const done = this.done.get(device) ?? [];
        this.done.set(device, done);
        const known = this.log[(done[frame.n - 1] ?? 0) - 1];
        if (known && known.text !== frame.text) return socket.say({ op: "error", id: frame.id, code: "conflict", message: "" });
        if (!known && frame.n !== done.length + 1) return socket.say({ op: "error", id: frame.id, code: "gap", message: "", last_n: done.length });
        if (!known) done.push(this.append(socket, { device, n: frame.n, text: frame.text, participant: "cu", role: "customer" }));
        return socket.say(ack(frame.id, frame.n, done[frame.n - 1]!, { dup: known && true }));
      }
    }
  }

  private append(author: FakeSocket, more: Partial<Entry>): number {
    const written = entry(this.log.length + 1, more);
    this.log.push(written);
    for (const socket of this.online) if (socket !== author && this.reachable(socket)) socket.say(written);
    return written.seq;
  }

  private page(after: number) {
    return page(this.log.slice(after), { top: this.log.length });
  }
}

interface Tab {
  name: string;
  chats: Chats;
  line: SharedLine;
  sockets: FakeSocket[];
  frozen: boolean;
  said: string[];
}

describe("tabs that come and go while all of them write", () => {
  it.each(Array.from({ length: 40 }, (_, index) => index + 1))("lose and double nothing (%i)", async (seed) => {
    const roll = dice(seed * 7_919);
    const browser = new FakeBrowser();
    vi.stubGlobal("BroadcastChannel", browser.Channel);
    const store: Store = { ...memoryStore(), lasting: true };
    const all: Tab[] = [];
    const alive: Tab[] = [];
    const owner = (socket: FakeSocket) => all.find(({ sockets }) => sockets.includes(socket));
    const server = new Server((socket) => {
      const tab = owner(socket);
      return tab !== undefined && alive.includes(tab) && !tab.frozen;
    });

    const open = async () => {
      const name = `tab ${all.length}`;
      const { locks } = browser.tab(name);
      const lives = () => !all.some((tab) => tab.name === name && !alive.includes(tab));
      // A killed tab writes nothing any more, whatever its timers do in this test.
      const kept: Store = { ...store, set: (...args) => lives() && store.set(...args), remove: (key) => lives() && store.remove(key) };
      const sockets: FakeSocket[] = [];
      class Socket extends FakeSocket {
        constructor(url: string, protocol: string) {
          super(url, protocol);
          sockets.push(this);
        }
      }
      const line = new SharedLine({ url: "ws://here/ws", scope: "test", store: kept, getPass: async () => "pass", WebSocket: Socket as unknown as typeof WebSocket }, locks);
      const opening = line.open();
      await vi.advanceTimersByTimeAsync(2 * PATIENCE_MS);
      await opening;
      const chats = new Chats({ reader: "customer", line: (hooks) => line.attach(hooks) });
      const tab: Tab = { name, chats, line, sockets, frozen: false, said: [] };
      all.push(tab);
      alive.push(tab);
      chats.attach(TICKET);
      chats.socket.start();
      await tick();
    };
    const settle = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      for (let turn = 0; turn < 4; turn++) {
        server.turn();
        await tick();
      }
    };
    const any = () => alive[roll(alive.length)]!;

    await open();
    await open();
    for (let step = 0; step < 50; step++) {
      const tab = any();
      switch (roll(12)) {
        case 0:
          if (alive.length < 4) await open();
          break;
        case 1:
          if (alive.length < 2) break;
          browser.kill(tab.name);
          alive.splice(alive.indexOf(tab), 1);
          break;
        case 2:
          if (alive.some(({ frozen }) => frozen)) break;
          tab.frozen = true;
          browser.freeze(tab.name);
          break;
        case 3:
          if (!tab.frozen) break;
          tab.frozen = false;
          browser.wake(tab.name);
          break;
        case 4:
          for (const socket of tab.sockets) if (!tab.frozen) server.cut(socket);
          break;
        case 5:
          server.commit();
          break;
        case 6:
          await settle(roll(5_000));
          break;
        default:
          if (tab.frozen) break;
          tab.said.push(`${tab.name}: ${tab.said.length}`);
          tab.chats.postMessage(TICKET, tab.said.at(-1)!);
          if (roll(2)) await tick(); // or the next thing happens in the same turn
          if (roll(2)) server.turn();
      }
      expect(alive.length).toBeGreaterThan(0);
    }
    for (const tab of alive) {
      if (tab.frozen) browser.wake(tab.name);
      tab.frozen = false;
    }
    for (let round = 0; round < 20; round++) {
      await settle(5_000);
      server.commit();
    }

    const written = server.log.slice(1).map(({ text }) => text!);
    expect([...written].sort()).toEqual(all.flatMap(({ said }) => said).sort());
    for (const { name, said } of all) expect(written.filter((text) => text.startsWith(`${name}:`))).toEqual(said);
    for (const { chats } of alive) {
      expect(chats.get(TICKET)!.log.slice(1).map(({ text }) => text)).toEqual(written);
      expect(chats.get(TICKET)!.pending).toEqual([]);
      expect(chats.socket.items()).toEqual([]);
    }
    expect(store.keys("test.letter.")).toEqual([]);
    for (const { line } of all) line.close();
  });
});
