// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { attached, DEVICE, entry, FakeSocket, online, page, playTheServer, started, TICKET, tick } from "./fake_server";
import { HttpError } from "./http";
import { memoryStore } from "./storage";

playTheServer();

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

  it("works on for as long as the bye says, then connects again at once, and nobody sees it", async () => {
    const [chats, socket] = await attached();
    const shown: string[] = [];
    chats.subscribe(() => shown.push(chats.shownStatus.phase));
    socket.say({ op: "bye", after_ms: 3_000, reconnect: true });
    chats.postMessage(TICKET, "meanwhile");
    await vi.advanceTimersByTimeAsync(2_900);
    expect(socket.got("post_message")).toHaveLength(1);
    expect(socket.readyState).toBe(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.readyState).toBe(3);
    expect(FakeSocket.all).toHaveLength(2);
    const next = await online(chats, page([entry(1)]));
    expect(next.got("post_message"), "it had no ack").toMatchObject([{ n: 1, text: "meanwhile" }]);
    expect(new Set(shown)).toEqual(new Set(["online"]));
  });

  it("comes back when the bye said, though the server closed before", async () => {
    const chats = started();
    const socket = await online(chats);
    socket.say({ op: "bye", after_ms: 800, reconnect: true });
    socket.die(4001);
    await vi.advanceTimersByTimeAsync(799);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("tells of trouble only when it lasts", async () => {
    const chats = started();
    const socket = await online(chats);
    vi.mocked(Math.random).mockReturnValue(0.999);
    socket.die(1006);
    expect(chats.status.phase).toBe("waiting");
    expect(chats.shownStatus.phase).toBe("online");
    let told = 0;
    chats.subscribe(() => told++);
    await vi.advanceTimersByTimeAsync(1_499);
    expect(chats.shownStatus.phase).toBe("online");
    told = 0;
    await vi.advanceTimersByTimeAsync(1);
    expect(chats.shownStatus.phase).toBe("connecting");
    expect(told).toBeGreaterThan(0);
    dispatchEvent(new Event("offline"));
    expect(chats.shownStatus.phase).toBe("offline");
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
