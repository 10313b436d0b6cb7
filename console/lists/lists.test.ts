import { describe, expect, it } from "vitest";
import type { ChatItem, TopicEvent } from "../../client/protocol";
import { afterAgentEvent, afterQueueEvent, closedItems, NO_LISTS, waitingCount, waitingItems, withMine, withQueue } from "./lists";

const item = (ticket: number, since = ticket): ChatItem => ({ ticket, since, department: "d1", verified: false });
const event = (more: object) => ({ op: "event", topic: "department:d1", version: 2, ...more }) as unknown as TopicEvent;
const tickets = (items: readonly ChatItem[]) => items.map((one) => one.ticket);

describe("a queue", () => {
  const queue = { waiting: [item(1), item(2)], count: 2 };

  it("takes a new chat at its end, and one that came back where its waiting time says", () => {
    expect(tickets(afterQueueEvent(queue, event({ type: "queued", item: item(3) })).waiting)).toEqual([1, 2, 3]);
    expect(tickets(afterQueueEvent(queue, event({ type: "queued", item: item(9, 0) })).waiting)).toEqual([9, 1, 2]);
  });

  it("counts a chat once, however often it is queued", () => {
    expect(afterQueueEvent(queue, event({ type: "queued", item: item(2) })).count).toBe(2);
  });

  it("counts those that it does not list", () => {
    const long = { waiting: [item(1)], count: 201 };
    expect(afterQueueEvent(long, event({ type: "left", ticket: 1 }))).toEqual({ waiting: [], count: 200 });
  });

  it("shows all departments together, the longest wait first", () => {
    const one = withQueue(NO_LISTS, "d1", { version: 1, state: { waiting: [item(5)], count: 1 } });
    const two = withQueue(one, "d2", { version: 1, state: { waiting: [item(3), item(7)], count: 2 } });
    expect(tickets(waitingItems(two))).toEqual([3, 5, 7]);
    expect(waitingCount(two)).toBe(3);
  });
});

describe("my chats", () => {
  it("keep their places when one is assigned again", () => {
    const list = afterAgentEvent({ chats: [item(1), item(2)] }, event({ type: "assigned", item: { ...item(1), topic: "Returns" } }));
    expect(tickets(list.chats)).toEqual([1, 2]);
    expect(list.chats[0]?.topic).toBe("Returns");
  });

  it("stay to be read when they are closed, but not when they went to somebody else", () => {
    const had = withMine(NO_LISTS, { version: 1, state: { chats: [item(1), item(2), item(3)] } });
    const left = withMine(had, { version: 3, state: { chats: [item(3)] } });
    expect(tickets(closedItems(left, (ticket) => ticket === 1))).toEqual([1]);
  });
});
