/** The queues of an agent's departments and the agent's own chats, as snapshots and events make them. */

import type { ChatItem, ChatList, TopicEvent, WaitingList } from "../../client/protocol";
import type { Watched } from "./watched";

export interface Lists {
  /** By department; a queue that has not answered yet is not there. */
  readonly queues: ReadonlyMap<string, Watched<WaitingList>>;
  readonly mine: Watched<ChatList> | null;
  /** Who took a chat that left a queue. */
  readonly takenBy: ReadonlyMap<number, string>;
  /** Every chat that was ours since the page was opened: what is closed stays to be read. */
  readonly known: ReadonlyMap<number, ChatItem>;
}

export const NO_LISTS: Lists = { queues: new Map(), mine: null, takenBy: new Map(), known: new Map() };

export function withQueue(lists: Lists, department: string, queue: Watched<WaitingList>): Lists {
  return { ...lists, queues: new Map(lists.queues).set(department, queue) };
}

export function withMine(lists: Lists, mine: Watched<ChatList>): Lists {
  const known = new Map(lists.known);
  for (const item of mine.state.chats) known.set(item.ticket, item);
  return { ...lists, mine, known };
}

export function withoutKnown(lists: Lists, ticket: number): Lists {
  const known = new Map(lists.known);
  return known.delete(ticket) ? { ...lists, known } : lists;
}

export function withTaken(lists: Lists, ticket: number, by: string): Lists {
  return { ...lists, takenBy: new Map(lists.takenBy).set(ticket, by) };
}

export function afterQueueEvent(queue: WaitingList, event: TopicEvent): WaitingList {
  switch (event.type) {
    case "queued": {
      const others = queue.waiting.filter((item) => item.ticket !== event.item.ticket);
      const added = others.length === queue.waiting.length ? 1 : 0;
      return { waiting: oldestFirst([...others, event.item]), count: queue.count + added };
    }
    case "left": {
      const waiting = queue.waiting.filter((item) => item.ticket !== event.ticket);
      return { waiting, count: Math.max(waiting.length, queue.count - 1) };
    }
    default:
      return queue;
  }
}

export function afterAgentEvent(list: ChatList, event: TopicEvent): ChatList {
  switch (event.type) {
    case "assigned":
      // One that we have keeps its place.
      return list.chats.some((item) => item.ticket === event.item.ticket)
        ? { chats: list.chats.map((item) => (item.ticket === event.item.ticket ? event.item : item)) }
        : { chats: [...list.chats, event.item] };
    case "released":
      return { chats: list.chats.filter((item) => item.ticket !== event.ticket) };
    default:
      return list;
  }
}

/** Who waits in any of the queues, the longest wait first. */
export function waitingItems(lists: Lists): ChatItem[] {
  return oldestFirst([...lists.queues.values()].flatMap(({ state }) => state.waiting));
}

/** How many wait; a snapshot lists at most 200 of them. */
export function waitingCount(lists: Lists): number {
  return [...lists.queues.values()].reduce((sum, { state }) => sum + state.count, 0);
}

export function myItems(lists: Lists): readonly ChatItem[] {
  return lists.mine?.state.chats ?? [];
}

/** Chats that were ours and are closed, the last first. */
export function closedItems(lists: Lists, isClosed: (ticket: number) => boolean): ChatItem[] {
  const open = new Set(myItems(lists).map((item) => item.ticket));
  return [...lists.known.values()].filter(({ ticket }) => !open.has(ticket) && isClosed(ticket)).reverse();
}

function oldestFirst(items: ChatItem[]): ChatItem[] {
  return items.sort((a, b) => a.since - b.since || a.ticket - b.ticket);
}
