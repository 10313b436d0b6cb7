import { describe, expect, it } from "vitest";
import { type ChatAction, type ChatState, lastSeq, needsPull, newChat, type Reader, reduceChat, statusOf, typingNow, unreadCount } from "./chat_state";
import type { Ack, ChatInfo, Durable, Entry, Page } from "./protocol";

const TICKET = 100_009;
const EPOCH = 7;
const DEVICE = "device-of-this-tab";

const info = (more: Partial<ChatInfo> = {}): ChatInfo => ({
  state: "active",
  mode: "live",
  department: { id: "d", name: "Help" },
  me: "cu",
  opened_at: 0,
  participants: [
    { participant: "cu", role: "customer" },
    { participant: "ag", role: "agent", name: "Ann" },
  ],
  durable: 0,
  ...more,
});

/** A chat in which seq 3 and 6 are notes that a customer does not get; every second message of the customer is this tab's. */
function makeLog(): Entry[] {
  const log: Entry[] = [];
  let prev = 0;
  let n = 0;
  const add = (entry: Partial<Entry> & { kind: Entry["kind"] }) => {
    const seq = log.length + 1;
    const base = { op: "entry", epoch: EPOCH, seq, prev, at: seq * 1_000, entry_id: `e${seq}`, audience: "all", ticket: TICKET };
    log.push({ ...base, ...entry } as Entry);
    if (entry.audience !== "staff") prev = seq;
  };
  const mine = { participant: "cu", role: "customer" as const, device: DEVICE };
  const hers = { participant: "ag", role: "agent" as const, name: "Ann" };
  add({ kind: "opened", ...mine, device: undefined });
  add({ kind: "message", ...mine, n: ++n, text: "one" });
  add({ kind: "note", ...hers, audience: "staff", text: "careful" });
  add({ kind: "message", ...hers, text: "two" });
  add({ kind: "message", ...mine, n: ++n, text: "three" });
  add({ kind: "note", ...hers, audience: "staff", text: "careful again" });
  add({ kind: "message", ...mine, n: ++n, text: "four" });
  add({ kind: "message", ...hers, text: "five" });
  return log;
}

const pageOf = (log: Entry[], after: number, more: Partial<Page> = {}): Page => ({
  op: "page",
  ticket: TICKET,
  ok: true,
  epoch: EPOCH,
  top: log.at(-1)?.seq ?? 0,
  state: info(),
  reads: {},
  entries: log.filter((entry) => entry.seq > after),
  more: false,
  ...more,
});

const ackOf = ({ epoch, seq, prev, at, entry_id, n = 0 }: Entry): Ack => ({ op: "ack", id: 1, ticket: TICKET, n, seq, prev, epoch, entry_id, at });
const durable = (seq: number, epoch = EPOCH): ChatAction => ({ type: "durable", durable: { op: "durable", ticket: TICKET, epoch, seq } satisfies Durable });
const command = (n: number, text: string): ChatAction => ({ type: "command", key: `k${n}`, n, kind: "message", text, at: n });
const run = (actions: ChatAction[], state = newChat(TICKET, "customer", DEVICE)): ChatState => actions.reduce(reduceChat, state);
const texts = (state: ChatState) => state.log.map((entry) => entry.text ?? entry.kind);

/** Repeatable "random" numbers. */
function dice(seed: number) {
  return (sides: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * sides);
  };
}

describe("the order of a chat", () => {
  it.each([["customer"], ["staff"]] as [Reader][])("ends the same for a %s, however things arrive", (reader) => {
    const whole = makeLog();
    const log = reader === "customer" ? whole.filter((entry) => entry.audience === "all") : whole;
    const own = log.filter((entry) => entry.device === DEVICE);
    for (let seed = 1; seed <= 400; seed += 1) {
      const roll = dice(seed);
      const things: ChatAction[] = [
        ...own.flatMap((entry): ChatAction[] => [{ type: "ack", ack: ackOf(entry) }]),
        ...log.flatMap((entry): ChatAction[] => Array.from({ length: roll(3) }, () => ({ type: "entry", entry }))),
        ...[0, 2, 5].map((after): ChatAction => ({ type: "page", page: pageOf(log, after) })),
        durable(4),
        durable(2),
        durable(8),
      ];
      for (let index = things.length - 1; index > 0; index -= 1) {
        const other = roll(index + 1);
        [things[index], things[other]] = [things[other] as ChatAction, things[index] as ChatAction];
      }
      const started = run(own.map((entry) => command(entry.n ?? 0, entry.text ?? "")), newChat(TICKET, reader, DEVICE));
      const end = run([...things, { type: "page", page: pageOf(log, 0) }], started);
      expect(end.log.map((entry) => entry.entry_id), `seed ${seed}`).toEqual(log.map((entry) => entry.entry_id));
      expect(end.pending, `seed ${seed}`).toEqual([]);
      expect(end.log.filter((entry) => entry.key).map((entry) => entry.n), `seed ${seed}`).toEqual(own.map((entry) => entry.n));
      expect(needsPull(end), `seed ${seed}`).toBe(false);
      expect(end.durable).toEqual({ epoch: EPOCH, seq: 8 });
    }
  });

  it("lets a customer's entry wait for the one it names in prev", () => {
    const log = makeLog().filter((entry) => entry.audience === "all");
    const state = run([...log.slice(0, 2), log[3] as Entry].map((entry) => ({ type: "entry", entry })));
    expect(texts(state)).toEqual(["opened", "one"]);
    expect(needsPull(state)).toBe(true);
    const whole = run([{ type: "page", page: pageOf(log, 2) }], state);
    expect(texts(whole)).toEqual(["opened", "one", "two", "three", "four", "five"]);
    expect(needsPull(whole)).toBe(false);
  });

  it("shows a customer no gap where staff wrote notes", () => {
    const log = makeLog().filter((entry) => entry.audience === "all");
    const state = run(log.map((entry) => ({ type: "entry", entry })));
    expect(state.log.map((entry) => entry.seq)).toEqual([1, 2, 4, 5, 7, 8]);
  });

  it("asks for a pull when an entry of another history arrives", () => {
    const log = makeLog().filter((entry) => entry.audience === "all");
    const state = run([{ type: "page", page: pageOf(log, 0) }, { type: "entry", entry: { ...(log[5] as Entry), epoch: 9, seq: 9, prev: 8, entry_id: "n9" } }]);
    expect(lastSeq(state)).toBe(8);
    expect(needsPull(state)).toBe(true);
  });

  it("believes only pages after a reset", () => {
    const log = makeLog().filter((entry) => entry.audience === "all");
    const lost = { ...(log[5] as Entry), seq: 9, prev: 8, entry_id: "lost" }; // acknowledged, then lost by Redis, under the same epoch
    const state = run([{ type: "entry", entry: { ...lost, prev: 7 } }, { type: "page", page: { ...pageOf(log.slice(0, 3), 0), ok: undefined, reset: true } }]);
    expect(texts(state)).not.toContain(lost.text);
    expect(state.early).toEqual([]);
    expect(needsPull(state)).toBe(true);
  });

  it("counts kinds it does not know", () => {
    const log = makeLog();
    const strange = { ...(log[3] as Entry), kind: "sparkle" } as unknown as Entry;
    expect(lastSeq(run([...log.slice(0, 3), strange].map((entry) => ({ type: "entry", entry })), newChat(TICKET, "staff", DEVICE)))).toBe(4);
  });
});

describe("own commands", () => {
  const log = makeLog().filter((entry) => entry.audience === "all");
  const before = () => run([{ type: "page", page: pageOf(log.slice(0, 3), 0) }]);

  it("goes from sending to sent, stored and read under one key", () => {
    let state = run([command(2, "three")], before());
    expect(statusOf(state, state.pending[0]!)).toBe("sending");
    state = run([{ type: "ack", ack: ackOf(log[3]!) }], state);
    const entry = state.log.at(-1)!;
    expect([entry.key, entry.text, entry.participant, entry.role]).toEqual(["k2", "three", "cu", "customer"]);
    expect(statusOf(state, entry)).toBe("sent");
    state = run([durable(5)], state);
    expect(statusOf(state, entry)).toBe("stored");
    state = run([{ type: "event", now: 0, event: { op: "event", topic: "chat", ticket: TICKET, type: "read", participant: "ag", seq: 5 } }], state);
    expect(statusOf(state, entry)).toBe("read");
  });

  it("does not take its own reading, or another agent's, for the other side's", () => {
    const read = (participant: string): ChatAction => ({ type: "event", now: 0, event: { op: "event", topic: "chat", ticket: TICKET, type: "read", participant, seq: 8 } });
    const state = run([{ type: "page", page: pageOf(log, 0) }, read("cu")]);
    expect(statusOf(state, state.log[1]!)).toBe("sent");
    const staff = run([{ type: "page", page: pageOf(makeLog(), 0, { state: info({ me: "ag", participants: [...info().participants, { participant: "bo", role: "agent" }] }) }) }, read("bo")], newChat(TICKET, "staff", DEVICE));
    expect(statusOf(staff, staff.log[3]!)).toBe("sent");
    expect(statusOf(run([read("cu")], staff), staff.log[3]!)).toBe("read");
  });

  it("is found in an entry when its ack was lost", () => {
    const state = run([command(2, "three"), { type: "entry", entry: log[3]! }], before());
    expect(state.pending).toEqual([]);
    expect(state.log.at(-1)?.key).toBe("k2");
  });

  it("shows what the server masked", () => {
    const state = run([command(2, "4111111111111111"), { type: "ack", ack: { ...ackOf(log[3]!), text: "•••• 1111" } }], before());
    expect(state.log.at(-1)).toMatchObject({ text: "•••• 1111", masked: ["card"] });
  });

  it("fails, and does not swallow the next command with its number", () => {
    let state = run([command(2, "too long"), command(3, "short"), { type: "failed", key: "k2", code: "too_big" }, { type: "numbered", key: "k3", n: 2 }], before());
    state = run([{ type: "ack", ack: ackOf(log[3]!), key: "k3" }], state);
    expect(state.pending.map((item) => [item.key, item.status, item.code])).toEqual([["k2", "failed", "too_big"]]);
    expect(state.log.at(-1)).toMatchObject({ key: "k3", text: "short" });
    expect(run([{ type: "discard", key: "k2" }], state).pending).toEqual([]);
  });

  it("is sent again after a reset that lost it", () => {
    const state = run([command(2, "three"), { type: "ack", ack: ackOf(log[3]!) }], before());
    const reset = run([{ type: "page", page: pageOf(log.slice(0, 3).map((entry) => ({ ...entry, epoch: 9 })), 0, { ok: undefined, reset: true, epoch: 9 }) }], state);
    expect(texts(reset)).toEqual(["opened", "one", "two"]);
    expect(reset.pending.map((item) => [item.key, item.status])).toEqual([["k2", "sending"]]);
  });

  it("is not taken for lost when it was durable and only stands on a later page", () => {
    const all = run([command(2, "three"), { type: "ack", ack: ackOf(log[3]!) }, durable(5)], before());
    const reset = run([{ type: "page", page: pageOf(log.slice(0, 3).map((entry) => ({ ...entry, epoch: 9 })), 0, { ok: undefined, reset: true, epoch: 9, more: true }) }], all);
    expect(reset.pending).toEqual([]);
  });

  it("closes and rates by the ack alone", () => {
    const all = run([{ type: "page", page: pageOf(log, 0) }, { type: "command", key: "c", n: 4, kind: "closed", at: 1 }]);
    const ack = { ...ackOf(log[5]!), n: 4, seq: 9, prev: 8, entry_id: "e9" };
    expect(run([{ type: "ack", ack, key: "c" }], all).info).toMatchObject({ state: "closed", close_reason: "customer" });
  });
});

describe("the chat's own facts", () => {
  it.each<Reader>(["customer", "staff"])("are not changed by an entry whose body was erased (%s)", (reader) => {
    const first = makeLog().slice(0, 1);
    const known = info({ close_reason: "customer", rating: 4 });
    let state = run([{ type: "page", page: pageOf(first, 0, { state: known }) }], newChat(TICKET, reader, DEVICE));
    for (const [at, kind] of (["message", "closed", "rated", "note", "opened"] as const).entries()) {
      const erased = { op: "entry", epoch: EPOCH, seq: at + 2, prev: at + 1, at: 9, entry_id: `x${at}`, audience: "all", ticket: TICKET };
      const entry = { ...erased, kind, participant: "cu", role: "customer", erased_at: 10 } as Entry;
      state = reduceChat(state, { type: "entry", entry });
    }
    expect(lastSeq(state)).toBe(6);
    expect(state.info).toMatchObject({ state: "closed", closed_at: 9, close_reason: "customer", rating: 4 });
    expect(unreadCount(state)).toBe(0);
  });

  it("changes by entries that are newer than its page, not by older ones", () => {
    const log = makeLog();
    const assigned = { ...(log[7] as Entry), kind: "assigned", data: { owner: "bo", name: "Bo", gen: 2 } } as Entry;
    const old = run([{ type: "page", page: pageOf([...log.slice(0, 7), assigned], 0, { state: info({ state: "closed" }) }) }], newChat(TICKET, "staff", DEVICE));
    expect(old.info?.state).toBe("closed");
    const live = run([{ type: "page", page: pageOf(log.slice(0, 7), 0, { state: info({ state: "queued", queue: { place: 1, waiting: 1 }, gen: 1 }) }) }, { type: "entry", entry: assigned }], newChat(TICKET, "staff", DEVICE));
    expect(live.info).toMatchObject({ state: "active", owner: { participant: "bo", name: "Bo" }, gen: 2 });
    expect(live.info?.queue).toBeUndefined();
  });

  it("begins again with a page of another epoch that does not say reset", () => {
    const log = makeLog();
    const other = log.map((entry) => ({ ...entry, epoch: 8, entry_id: `other-${entry.seq}` }));
    const state = [pageOf(log, 0), pageOf(other, 0, { epoch: 8 })].reduce(
      (before, page) => reduceChat(before, { type: "page", page }),
      newChat(TICKET, "staff", DEVICE),
    );
    expect(state.log.map(({ entry_id }) => entry_id)).toEqual(other.map(({ entry_id }) => entry_id));
    expect(needsPull(state)).toBe(false);
  });

  it("asks as whom it wrote when it was not in the chat before", () => {
    const log = makeLog();
    const page = pageOf(log, 0, { state: info({ me: undefined }) });
    const note: ChatAction = { type: "command", key: "k", n: 9, kind: "note", text: "hm", at: 0 };
    const ack: Ack = { op: "ack", id: 1, ticket: TICKET, n: 9, seq: 9, prev: 8, epoch: EPOCH, entry_id: "e9", at: 9_000 };
    let state = reduceChat(newChat(TICKET, "staff", DEVICE), { type: "page", page });
    state = reduceChat(reduceChat(state, note), { type: "ack", ack, key: "k" });
    expect(lastSeq(state)).toBe(8);
    expect(needsPull(state)).toBe(true);
  });

  it("waits again, without an owner, when the agent was lost", () => {
    const log = makeLog();
    const released = { ...(log[7] as Entry), kind: "released", role: "system", data: { reason: "agent_lost", gen: 4 } } as Entry;
    const owned = info({ owner: { participant: "ag", name: "Ann" }, gen: 3 });
    const state = run([{ type: "page", page: pageOf(log.slice(0, 7), 0, { state: owned }) }, { type: "entry", entry: released }], newChat(TICKET, "staff", DEVICE));
    expect(state.info).toMatchObject({ state: "queued", gen: 4 });
    expect(state.info?.owner).toBeUndefined();
  });

  it("counts what is unread, and forgets who types once they wrote", () => {
    const log = makeLog().filter((entry) => entry.audience === "all");
    const typing: ChatAction = { type: "event", now: 1_000, event: { op: "event", topic: "chat", ticket: TICKET, type: "typing", participant: "ag", name: "Ann" } };
    const state = run([{ type: "page", page: pageOf(log.slice(0, 5), 0, { reads: { cu: 2 } }) }, typing]);
    expect(unreadCount(state)).toBe(1);
    expect(typingNow(state, 2_000)).toEqual([{ participant: "ag", name: "Ann" }]);
    expect(typingNow(state, 9_000)).toEqual([]);
    const after = run([{ type: "entry", entry: log[5]! }], state);
    expect(typingNow(after, 2_000)).toEqual([]);
    expect(unreadCount(after)).toBe(2);
  });
});
