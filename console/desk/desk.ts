/** The agent's work: the lists, the chats that are open here, and what the agent does with them. */

import { Chats } from "../../client/chats";
import { lastSeq } from "../../client/chat_state";
import type { OpenLine } from "../../client/open_line";
import type { ChatItem, ChatList, TopicEvent, WaitingList } from "../../client/protocol";
import { NO_SEARCH, type SearchState } from "../../client/search/state";
import { CommandError } from "../../client/socket";
import { Cell } from "../cell";
import { lostByMe } from "../chat/standing";
import { afterAgentEvent, afterQueueEvent, type Lists, myItems, NO_LISTS, waitingItems, withMine, withoutKnown, withQueue, withTaken } from "../lists/lists";
import { step } from "../lists/watched";
import type { Agent } from "../session/session";
import { texts } from "../texts";
import { Drafts } from "./drafts";

/** A chat that left us may be closed by an entry that is still on its way. */
const RELEASE_MS = 2_000;

export class Desk {
  readonly chats: Chats;
  readonly lists = new Cell<Lists>(NO_LISTS);
  /** Changes whenever a chat or the connection does. */
  readonly turn = new Cell(0);
  /** Said to screen readers. */
  readonly said = new Cell("");
  /** Shown for a while: what did not work. */
  readonly notice = new Cell<string | null>(null);
  readonly taking = new Cell<ReadonlySet<number>>(new Set());
  readonly drafts = new Drafts();
  search: SearchState = NO_SEARCH;

  private selected: number | null = null;
  private heard = new Map<number, number>();
  private asking = new Set<string>();
  private noticeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly agent: Agent,
    { line }: OpenLine,
  ) {
    this.chats = new Chats({ reader: "staff", line });
    this.chats.subscribe(() => this.changed());
    for (const { id } of agent.departments) this.watchQueue(id);
    this.watchMine();
  }

  start(): void {
    for (const name of ["focus", "blur"]) addEventListener(name, this.attend);
    document.addEventListener("visibilitychange", this.attend);
    this.chats.socket.start();
  }

  stop(): void {
    for (const name of ["focus", "blur"]) removeEventListener(name, this.attend);
    document.removeEventListener("visibilitychange", this.attend);
    this.chats.socket.stop();
  }

  get online(): boolean {
    return this.chats.shownStatus.phase === "online";
  }

  itemOf(ticket: number): ChatItem | undefined {
    const lists = this.lists.get();
    return lists.known.get(ticket) ?? waitingItems(lists).find((item) => item.ticket === ticket);
  }

  isMine(ticket: number): boolean {
    return myItems(this.lists.get()).some((item) => item.ticket === ticket);
  }

  isClosed(ticket: number): boolean {
    const state = this.chats.get(ticket)?.info?.state;
    return state === "closed" || state === "closing";
  }

  // ---- what the agent does ---------------------------------------------------------------------------------------------------

  select(ticket: number | null): void {
    const before = this.selected;
    this.selected = ticket;
    if (before !== null && before !== ticket && !this.lists.get().known.has(before)) this.chats.detach(before);
    if (ticket === null) return;
    if (this.chats.get(ticket) === undefined) this.chats.attach(ticket);
    this.attend();
  }

  async take(ticket: number): Promise<boolean> {
    if (this.taking.get().has(ticket)) return false;
    if (!this.online) return this.tell(texts.take.offline);
    this.taking.update((taking) => new Set(taking).add(ticket));
    try {
      await this.chats.send({ op: "take_chat", ticket }).done;
      this.say(texts.announce.taken(this.itemOf(ticket)?.name ?? texts.anonymous));
      return true;
    } catch (error) {
      return this.tell(takeProblem(error));
    } finally {
      this.taking.update((taking) => new Set([...taking].filter((one) => one !== ticket)));
    }
  }

  post(ticket: number, text: string, note: boolean): void {
    const gen = this.chats.get(ticket)?.info?.gen;
    if (note) this.chats.send({ op: "post_note", ticket, text });
    else this.chats.postMessage(ticket, text, gen === undefined ? {} : { gen });
  }

  resend(ticket: number, key: string): void {
    const gen = this.chats.get(ticket)?.info?.gen;
    this.chats.retry(ticket, key, gen === undefined ? {} : { gen });
  }

  close(ticket: number): void {
    const gen = this.chats.get(ticket)?.info?.gen;
    const { key, done } = this.chats.send({ op: "close_chat", ticket, ...(gen === undefined ? {} : { gen }) });
    done.then(
      () => this.say(texts.announce.closed),
      () => {
        this.chats.discard(ticket, key);
        if (!this.isClosed(ticket)) this.tell(texts.close.failed);
      },
    );
  }

  /** Takes a closed chat off the list. */
  dismiss(ticket: number): void {
    this.lists.update((lists) => withoutKnown(lists, ticket));
    if (this.selected !== ticket) this.chats.detach(ticket);
  }

  tell(notice: string): false {
    clearTimeout(this.noticeTimer);
    this.notice.set(notice);
    this.noticeTimer = setTimeout(() => this.notice.set(null), 8_000);
    return false;
  }

  // ---- lists -----------------------------------------------------------------------------------------------------------------

  private watchQueue(department: string): void {
    const topic = `department:${department}` as const;
    this.asking.add(topic);
    this.chats.watch<WaitingList>(topic, {
      snapshot: ({ version, state }) => {
        this.asking.delete(topic);
        this.lists.update((lists) => withQueue(lists, department, { version, state }));
      },
      event: (event) => {
        const queue = this.lists.get().queues.get(department);
        if (queue === undefined) return;
        const next = step(queue, event, afterQueueEvent);
        if (next.kind === "hole") return this.again(topic, () => this.watchQueue(department));
        if (next.kind === "known") return;
        this.lists.update((lists) => withQueue(lists, department, next.watched));
        this.hearQueue(event);
      },
    });
  }

  private watchMine(): void {
    const topic = `agent:${this.agent.id}` as const;
    this.asking.add(topic);
    this.chats.watch<ChatList>(topic, {
      snapshot: ({ version, state }) => {
        this.asking.delete(topic);
        const before = myItems(this.lists.get());
        this.lists.update((lists) => withMine(lists, { version, state }));
        for (const { ticket } of before) if (!this.isMine(ticket)) this.release(ticket);
        this.attachMine();
      },
      event: (event) => {
        const { mine } = this.lists.get();
        if (mine === null) return;
        const next = step(mine, event, afterAgentEvent);
        if (next.kind === "hole") return this.again(topic, () => this.watchMine());
        if (next.kind === "known") return;
        this.lists.update((lists) => withMine(lists, next.watched));
        if (event.type === "released") this.release(event.ticket);
        this.attachMine();
      },
    });
  }

  private again(topic: string, watch: () => void): void {
    if (!this.asking.has(topic)) watch();
  }

  private attachMine(): void {
    for (const { ticket } of myItems(this.lists.get())) {
      if (this.chats.get(ticket) === undefined || this.chats.isGone(ticket)) this.chats.attach(ticket);
    }
  }

  /** A chat is no longer ours: closed, it stays to be read; gone to somebody else, it leaves unless we are looking at it. */
  private release(ticket: number): void {
    setTimeout(() => {
      if (this.isMine(ticket) || this.isClosed(ticket)) return;
      const state = this.chats.get(ticket);
      if (lostByMe(state)) this.tell(texts.chat.lostOf(state?.info?.customer_name ?? this.itemOf(ticket)?.name ?? texts.anonymous));
      this.dismiss(ticket);
    }, RELEASE_MS);
  }

  private hearQueue(event: TopicEvent): void {
    if (event.type === "queued") {
      this.say(texts.announce.waiting(event.item.name ?? texts.anonymous, event.item.topic ?? texts.noTopic));
    } else if (event.type === "left" && event.taken_by !== undefined) {
      const { ticket, taken_by: by } = event;
      this.lists.update((lists) => withTaken(lists, ticket, by));
    }
  }

  // ---- chats -----------------------------------------------------------------------------------------------------------------

  private changed(): void {
    for (const { ticket } of myItems(this.lists.get())) this.hearChat(ticket);
    this.attend();
    this.turn.update((turn) => turn + 1);
  }

  private hearChat(ticket: number): void {
    const state = this.chats.get(ticket);
    if (state === undefined || state.more || state.info === undefined) return;
    const last = lastSeq(state);
    const heard = this.heard.get(ticket);
    this.heard.set(ticket, last);
    const entry = state.log.at(-1);
    // In the chat that is looked at, the log speaks for itself.
    if (heard === undefined || last <= heard || this.looksAt(ticket) || entry?.kind !== "message" || entry.role !== "customer") return;
    this.say(texts.announce.message(entry.name ?? this.itemOf(ticket)?.name ?? texts.anonymous));
  }

  /** What is on the screen of somebody who looks at it has been read. */
  private readonly attend = (): void => {
    const ticket = this.selected;
    if (ticket !== null && this.isMine(ticket) && this.looksAt(ticket)) this.chats.read(ticket);
  };

  private looksAt(ticket: number): boolean {
    return ticket === this.selected && document.visibilityState === "visible" && document.hasFocus();
  }

  private say(text: string): void {
    // The same words twice are said twice.
    this.said.set(text === this.said.get() ? `${text}\u00a0` : text);
  }
}

export const scopeOf = (agent: Agent): string => `console.${agent.id}`;

function takeProblem(error: unknown): string {
  if (!(error instanceof CommandError)) return texts.take.failed;
  if (error.code === "already_assigned") return error.frame.owner === undefined ? texts.take.left : texts.take.gone(error.frame.owner);
  return error.code === "not_found" || error.code === "chat_closed" ? texts.take.left : texts.take.failed;
}
