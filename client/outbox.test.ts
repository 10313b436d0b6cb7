import { describe, expect, it } from "vitest";
import { isFull, Outbox } from "./outbox";
import type { Entry } from "./protocol";
import { memoryStore } from "./storage";

const message = (text: string, ticket = 100_009) => ({ op: "post_message" as const, ticket, text });
const numbers = (outbox: Outbox, chat = "100009") => outbox.of(chat).map((item) => item.n);

describe("an outbox", () => {
  it("numbers the commands of each chat and finds them again after a reload", () => {
    const store = memoryStore();
    const first = new Outbox(store, "box");
    first.add(message("a"));
    first.add(message("b"));
    first.add(message("c", 100_014));
    const second = new Outbox(store, "box");
    expect(second.all().map(({ chat, n, command }) => [chat, n, "text" in command && command.text])).toEqual([
      ["100009", 1, "a"],
      ["100009", 2, "b"],
      ["100014", 1, "c"],
    ]);
    expect(second.add(message("d")).n).toBe(3);
  });

  it("keeps counting when everything is durable", () => {
    const store = memoryStore();
    const outbox = new Outbox(store, "box");
    outbox.acked(outbox.add(message("a")), 7, 2);
    outbox.durable(100_009, 7, 2);
    expect(outbox.all()).toEqual([]);
    expect(new Outbox(store, "box").add(message("b")).n).toBe(2);
  });

  it("keeps what is acknowledged until it is durable in the same history", () => {
    const outbox = new Outbox(memoryStore(), "box");
    outbox.acked(outbox.add(message("a")), 7, 2);
    outbox.durable(100_009, 8, 9);
    outbox.durable(100_009, 7, 1);
    expect(numbers(outbox)).toEqual([1]);
    outbox.durable(100_009, 7, 2);
    expect(numbers(outbox)).toEqual([]);
  });

  it("gives the number of a refused command to the next", () => {
    const outbox = new Outbox(memoryStore(), "box");
    const [a, b, c] = ["a", "b", "c"].map((text) => outbox.add(message(text)));
    outbox.acked(a!, 7, 2);
    expect(outbox.refused(b!, "too_big")).toEqual({ refused: [b], renumbered: [c] });
    expect([a, c].map((item) => item?.n)).toEqual([1, 2]);
    expect(outbox.add(message("d")).n).toBe(3);
  });

  it("keeps what was refused until its author decides, over a reload too", () => {
    const store = memoryStore();
    const outbox = new Outbox(store, "box");
    outbox.refused(outbox.add(message("long")), "too_big");
    const after = new Outbox(store, "box");
    const [item] = after.all();
    expect(item).toMatchObject({ refused: "too_big" });
    expect(after.add(message("next")).n, "it has no number").toBe(1);
    expect(after.remove(item!.key)).toBe(item);
    expect(after.all()).toHaveLength(1);
    expect(after.remove(after.all()[0]!.key), "what is on its way cannot be taken back").toBeUndefined();
  });

  it("drops refused commands that nobody can see", () => {
    const outbox = new Outbox(memoryStore(), "box");
    outbox.refused(outbox.add({ op: "take_chat", ticket: 100_009 }), "already_assigned");
    expect(outbox.all()).toEqual([]);
  });

  it("refuses all that was meant for a chat that could not be opened", () => {
    const outbox = new Outbox(memoryStore(), "box");
    const open = outbox.add({ op: "open_chat", chat_key: "f".repeat(32), text: "hello" });
    outbox.add(message("more", 0), "f".repeat(32));
    expect(outbox.refused(open, "invalid").refused).toHaveLength(2);
    expect(outbox.all().map(({ refused }) => refused)).toEqual(["invalid", "invalid"]);
    expect(outbox.add({ op: "open_chat", chat_key: "f".repeat(32), text: "again" }).n).toBe(1);
  });

  it("is full with a hundred commands on their way", () => {
    const outbox = new Outbox(memoryStore(), "box");
    for (let i = 0; i < 99; i++) outbox.add(message(`${i}`));
    expect(isFull(outbox.all())).toBe(false);
    const last = outbox.add(message("one more"));
    expect(isFull(outbox.all())).toBe(true);
    outbox.acked(last, 7, 2);
    expect(isFull(outbox.all()), "what is acknowledged is not on its way").toBe(false);
  });

  it("goes by the ticket as soon as the chat has one", () => {
    const outbox = new Outbox(memoryStore(), "box");
    outbox.add({ op: "open_chat", chat_key: "f".repeat(32), text: "hello" });
    outbox.add(message("more", 0), "f".repeat(32));
    outbox.named("f".repeat(32), 100_009, "claim");
    expect(outbox.of("100009").map(({ n, command }) => [n, command.op, "claim" in command && command.claim])).toEqual([
      [1, "open_chat", "claim"],
      [2, "post_message", false],
    ]);
    expect(outbox.add(message("third")).n).toBe(3);
  });

  it("takes its own entry for an ack", () => {
    const outbox = new Outbox(memoryStore(), "box");
    outbox.add(message("a"));
    const entry = { ticket: 100_009, device: "me", n: 1, epoch: 7, seq: 2, kind: "message", text: "a" } as Entry;
    const others: Partial<Entry>[] = [{ device: "other" }, { text: "another" }, { kind: "note" }];
    for (const other of others) outbox.seen({ ...entry, ...other } as Entry, "me");
    expect(outbox.all()[0]?.acked).toBeUndefined();
    outbox.seen(entry, "me");
    expect(outbox.all()[0]?.acked).toEqual({ epoch: 7, seq: 2 });
  });

  const logged = (n: number, text: string) => ({ ticket: 100_009, device: "me", n, epoch: 7, seq: n + 1, kind: "message", text }) as Entry;

  it("takes back what was refused and is in the log after all", () => {
    const outbox = new Outbox(memoryStore(), "box", "me");
    const [one, two, three] = ["one", "two", "three"].map((text) => outbox.add(message(text)));
    outbox.acked(one!, 7, 2);
    outbox.refused(two!, "stale_gen");
    expect(three!.n).toBe(2);
    expect(outbox.seen(logged(2, "two"), "me")).toEqual([two, three]);
    expect([two!.refused, two!.acked]).toEqual([undefined, { epoch: 7, seq: 3 }]);
    expect(numbers(outbox)).toEqual([1, 2, 3]);
    expect(outbox.add(message("four")).n).toBe(4);
  });

  it("takes back all that was refused, one after the other, with nothing behind it", () => {
    const store = memoryStore();
    const outbox = new Outbox(store, "box", "me");
    const items = ["one", "two", "three"].map((text) => outbox.add(message(text)));
    for (const item of items) outbox.refused(item, "not_found");
    expect(numbers(outbox)).toEqual([1, 1, 1]);
    const after = new Outbox(store, "box", "me");
    for (const [at, text] of ["one", "two", "three"].entries()) after.seen(logged(at + 1, text), "me");
    expect(after.all().map(({ n, acked, refused }) => [n, acked?.seq, refused])).toEqual([[1, 2, undefined], [2, 3, undefined], [3, 4, undefined]]);
    expect(after.add(message("four")).n).toBe(4);
  });

  it("does not take back what only says the same as an entry that it has sent since", () => {
    const outbox = new Outbox(memoryStore(), "box", "me");
    outbox.refused(outbox.add(message("ok")), "rate_limited");
    outbox.acked(outbox.add(message("ok")), 7, 2);
    expect(outbox.seen(logged(1, "ok"), "me")).toEqual([]);
    outbox.durable(100_009, 7, 2);
    expect(outbox.seen(logged(1, "ok"), "me")).toEqual([]);
    expect(outbox.seen(logged(2, "ok"), "me"), "another number").toEqual([]);
    expect(outbox.seen({ ...logged(2, "ok"), device: "other" } as Entry, "me")).toEqual([]);
    expect(outbox.all().map(({ refused }) => refused)).toEqual(["rate_limited"]);
  });

  it("knows its own text when the server has tidied or masked it", () => {
    const outbox = new Outbox(memoryStore(), "box");
    for (const text of ["Cafe\u0301\r\nau\u202e lait ", "4111 1111 1111 1111"]) outbox.add(message(text));
    const entry = { ticket: 100_009, device: "me", epoch: 7, kind: "message" };
    outbox.seen({ ...entry, n: 1, seq: 2, text: "Café\nau lait" } as Entry, "me");
    outbox.seen({ ...entry, n: 2, seq: 3, text: "•••• 1111", masked: ["card"] } as Entry, "me");
    expect(outbox.all().map((item) => item.acked?.seq)).toEqual([2, 3]);
  });

  it("goes back to what the server has", () => {
    const outbox = new Outbox(memoryStore(), "box");
    const [a, b] = ["a", "b", "c"].map((text) => outbox.add(message(text)));
    outbox.acked(a!, 7, 2);
    outbox.acked(b!, 7, 3);
    outbox.goBack("100009", 1);
    expect(outbox.all().map((item) => [item.n, Boolean(item.acked)])).toEqual([[1, true], [2, false], [3, false]]);
  });

  it("starts at 1 as another device with what was not sent", () => {
    const outbox = new Outbox(memoryStore(), "box");
    outbox.acked(outbox.add(message("a")), 7, 2);
    outbox.add(message("b"));
    outbox.restart("another");
    expect(numbers(outbox)).toEqual([1]);
  });
});
