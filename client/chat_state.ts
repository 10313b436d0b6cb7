/**
 * One chat as a pure reducer: (state, what happened) → state. Whatever the order in which acks, entries, pages and `durable`
 * arrive, and however often, the log ends the same: every entry once, in the order of the chat, without a hole.
 *
 * What came too early waits in `early`; while something waits (`needsPull`), the driver asks for the missing part after 300 ms.
 */

import type { Ack, ChatEvent, ChatInfo, Durable, Entry, EntryFrame, Page, Participant, Position, RatedData, Role } from "./protocol";

export type Reader = "customer" | "staff";

/** An entry of the log; `key` is there when this tab wrote it and stays the same from the first key press to the ack. */
export type LogEntry = Entry & { key?: string };

/** A command of this device that is not in the log yet. */
export interface Pending {
  key: string;
  /** 0 until the tab that has the socket gave it one. */
  n: number;
  kind: "message" | "note" | "closed" | "rated";
  text?: string;
  data?: RatedData;
  at: number;
  /** `sent`: acknowledged, but its predecessor is missing. */
  status: "sending" | "sent" | "failed";
  /** Why it failed: an error code. */
  code?: string;
}

export type Status = "sending" | "sent" | "stored" | "read" | "failed";

export interface ChatState {
  ticket: number;
  reader: Reader;
  device: string;
  epoch: number;
  log: LogEntry[];
  early: LogEntry[];
  pending: Pending[];
  /** Which entries are committed, and in which history. */
  durable: { epoch: number; seq: number };
  reads: Record<string, number>;
  info?: ChatInfo;
  /** The newest entry that `info` knows of. */
  top: number;
  typing: Record<string, { name?: string; until: number }>;
  /** The last page was full: pull on from the last entry. */
  more: boolean;
  /** An ack came for a command that this tab no longer knows: only a pull can show its entry. */
  hole: boolean;
}

export type ChatAction =
  | { type: "command"; key: string; n: number; kind: Pending["kind"]; text?: string; data?: RatedData; at: number }
  | { type: "numbered"; key: string; n: number }
  | { type: "failed"; key: string; code: string }
  | { type: "discard"; key: string }
  | { type: "ack"; ack: Ack; key?: string }
  | { type: "entry"; entry: EntryFrame | Entry }
  | { type: "page"; page: Page }
  | { type: "durable"; durable: Durable }
  | { type: "event"; event: ChatEvent; now: number };

/** How long "is typing" holds: one signal every 3 s, and one may get lost. */
const TYPING_MS = 6_000;

export function newChat(ticket: number, reader: Reader, device: string): ChatState {
  return {
    ticket,
    reader,
    device,
    epoch: 0,
    log: [],
    early: [],
    pending: [],
    durable: { epoch: 0, seq: 0 },
    reads: {},
    top: 0,
    typing: {},
    more: false,
    hole: false,
  };
}

export function reduceChat(state: ChatState, action: ChatAction): ChatState {
  switch (action.type) {
    case "command": {
      const { type: _, ...command } = action;
      if (findOwn(state.log, state.device, action.n) && !state.pending.some((item) => item.key === action.key)) return state;
      return byNumber({ ...state, pending: [...without(state.pending, action.key), { ...command, status: "sending" }] });
    }
    case "numbered":
      return byNumber(changePending(state, action.key, { n: action.n }));
    case "failed":
      return changePending(state, action.key, { status: "failed", code: action.code });
    case "discard":
      return { ...state, pending: without(state.pending, action.key) };
    case "ack":
      return takeAck(state, action.ack, action.key);
    case "entry":
      return takeEntries(state, [action.entry]);
    case "page":
      return takePage(state, action.page);
    case "durable":
      return takeDurable(state, action.durable);
    case "event":
      return takeEvent(state, action.event, action.now);
  }
}

// ---- questions -------------------------------------------------------------------------------------------------------------

export function lastSeq(state: ChatState): number {
  return state.log.at(-1)?.seq ?? 0;
}

/** What to send with `attach` and `pull`: nothing while the chat is empty. */
export function positionOf(state: ChatState): Partial<Position> {
  const last = state.log.at(-1);
  return last ? { epoch: state.epoch, seq: last.seq, entry_id: last.entry_id } : {};
}

export function needsPull(state: ChatState): boolean {
  return state.early.length > 0 || state.hole;
}

export function isOwn(state: ChatState, entry: Entry): boolean {
  // Staff who look at a chat without being in it have no place there yet, and may leave a note all the same.
  return state.info?.me ? entry.participant === state.info.me : entry.device === state.device;
}

/** How far an entry or a pending command of ours has come. */
export function statusOf(state: ChatState, item: LogEntry | Pending): Status {
  if ("status" in item) return item.status;
  for (const [participant, seq] of Object.entries(state.reads)) {
    if (seq >= item.seq && otherSide(state, participant)) return "read";
  }
  return state.durable.epoch === state.epoch && state.durable.seq >= item.seq ? "stored" : "sent";
}

/** Messages of others after the place up to which this person has read. */
export function unreadCount(state: ChatState): number {
  const read = (state.info && state.reads[state.info.me]) ?? 0;
  return state.log.filter((entry) => entry.kind === "message" && entry.seq > read && !isOwn(state, entry)).length;
}

export function typingNow(state: ChatState, now: number): { participant: string; name?: string }[] {
  return Object.entries(state.typing)
    .filter(([participant, { until }]) => until > now && participant !== state.info?.me)
    .map(([participant, { name }]) => ({ participant, name }));
}

function otherSide(state: ChatState, participant: string): boolean {
  if (participant === state.info?.me) return false;
  const role = state.info?.participants.find((one) => one.participant === participant)?.role;
  return state.reader === "customer" ? role !== "customer" : role === "customer";
}

// ---- entries ---------------------------------------------------------------------------------------------------------------

function takeEntries(state: ChatState, entries: LogEntry[]): ChatState {
  const early = new Map([...state.early, ...entries].map((entry) => [`${entry.epoch} ${entry.seq}`, entry]));
  return settle({ ...state, early: [...early.values()] }, entries);
}

/** Moves everything whose turn it is from `early` to the log, and drops what is in the log already. */
function settle(state: ChatState, arrived: LogEntry[]): ChatState {
  const log = [...state.log];
  let { epoch } = state;
  let last = lastSeq(state);
  const rest: LogEntry[] = [];
  let pending = state.pending;
  let info = state.info;
  let { top, typing } = state;
  const takePending = (entry: Entry): string | undefined => {
    if (entry.device !== state.device) return undefined;
    const own = pending.find((item) => item.n === entry.n && item.status !== "failed");
    if (own) pending = without(pending, own.key);
    return own?.key;
  };
  // What the log holds already may still answer a command whose ack was lost.
  for (const entry of arrived) if (epoch === entry.epoch && entry.seq <= last) takePending(entry);
  for (const entry of [...state.early].sort((a, b) => a.seq - b.seq)) {
    if (epoch === entry.epoch && entry.seq <= last) continue;
    const next = (epoch === entry.epoch || !last) && (state.reader === "customer" ? entry.prev === last : entry.seq === last + 1);
    if (!next) {
      rest.push(entry);
      continue;
    }
    const key = takePending(entry) ?? entry.key;
    log.push(key ? { ...entry, key } : entry);
    last = entry.seq;
    ({ epoch } = entry);
    if (entry.kind === "message") typing = stopTyping(typing, entry.participant);
    if (entry.seq > top) {
      info = info && afterEntry(info, entry);
      top = entry.seq;
    }
  }
  return { ...state, log, epoch, pending, info, top, typing, early: rest };
}

function stopTyping(typing: ChatState["typing"], participant: string): ChatState["typing"] {
  if (!(participant in typing)) return typing;
  const { [participant]: _, ...others } = typing;
  return others;
}

/** What an entry changes in the chat's own facts. */
function afterEntry(info: ChatInfo, entry: Entry): ChatInfo {
  const participants = withParticipant(info.participants, entry);
  switch (entry.kind) {
    case "assigned": {
      const { queue: _, ...rest } = info;
      const { owner, name, gen } = entry.data;
      const owned = { ...rest, state: "active" as const, owner: { participant: owner, name }, accepted_at: info.accepted_at ?? entry.at };
      const named = withParticipant(participants, { participant: owner, name, role: "agent" });
      return info.gen === undefined ? { ...owned, participants: named } : { ...owned, participants: named, gen };
    }
    case "released": {
      const { owner: _, ...rest } = info;
      return { ...rest, participants, state: "queued", ...(info.gen === undefined ? {} : { gen: entry.data.gen }) };
    }
    case "closed": {
      const { queue: _, ...rest } = info;
      return { ...rest, participants, state: "closed", closed_at: entry.at, close_reason: entry.data?.reason ?? info.close_reason };
    }
    case "rated":
      return { ...info, participants, rating: entry.data?.rating ?? info.rating };
    default:
      return participants === info.participants ? info : { ...info, participants };
  }
}

function withParticipant(all: Participant[], { participant, role, name }: { participant: string; role: Role; name?: string }) {
  return role === "system" || all.some((one) => one.participant === participant) ? all : [...all, { participant, role, name }];
}

// ---- acks, pages and the rest ----------------------------------------------------------------------------------------------

function takeAck(state: ChatState, ack: Ack, key?: string): ChatState {
  if (ack.page) return takePage(state, ack.page);
  const own = state.pending.find((item) => (key ? item.key === key : item.n === ack.n && item.status !== "failed"));
  if (!own) {
    const known = findOwn(state.log, state.device, ack.n) ?? findOwn(state.early, state.device, ack.n);
    return known ? state : { ...state, hole: true };
  }
  if (ack.epoch === state.epoch && ack.seq <= lastSeq(state)) return { ...state, pending: without(state.pending, own.key) };
  const marked = changePending(state, own.key, { n: ack.n, status: "sent" });
  // Staff become a participant by their first note, and only a page says as whom.
  if (!state.info?.me) return { ...marked, hole: true };
  const entry = ownEntry(state, own, ack);
  return takeEntries(marked, [entry]);
}

/** The ack stands for our own entry, which does not come a second time: this is the entry it stands for. */
function ownEntry(state: ChatState, own: Pending, ack: Ack): LogEntry {
  const { epoch, seq, prev, at, entry_id, ticket, n } = ack;
  const text = ack.text ?? own.text;
  const me = state.info?.me ?? "";
  const self = state.info?.participants.find((one) => one.participant === me);
  const role: Role = self?.role ?? (state.reader === "customer" ? "customer" : "agent");
  const hidden = ack.text?.includes("•") && !own.text?.includes("•") ? ["card"] : undefined;
  const base = {
    epoch, seq, prev, at, entry_id, ticket, n, role, text,
    audience: own.kind === "note" ? ("staff" as const) : ("all" as const),
    participant: me,
    name: self?.name,
    device: state.device,
    masked: ack.masked ?? hidden,
    key: own.key,
  };
  switch (own.kind) {
    case "closed":
      return { ...base, kind: "closed", data: { reason: state.reader === "customer" ? "customer" : "agent" } };
    case "rated":
      return { ...base, kind: "rated", data: own.data ?? { rating: 0 } };
    default:
      return { ...base, kind: own.kind };
  }
}

function takePage(state: ChatState, page: Page): ChatState {
  // The page of `take_chat` does not say `reset`: it was asked for without a position.
  const reset = page.reset || (state.log.length > 0 && page.epoch !== state.epoch);
  const fresh = reset || page.top >= state.top || !state.info;
  const reads = reset ? page.reads : mergeReads(state.reads, page.reads);
  const durable =
    reset || page.epoch !== state.durable.epoch
      ? { epoch: page.epoch, seq: page.state.durable }
      : { epoch: page.epoch, seq: Math.max(state.durable.seq, page.state.durable) };
  // After a reset only pages say what is in the log: of what came before it, Redis may have lost some again, under the same numbers.
  const kept = reset ? [] : state.early.filter((entry) => entry.epoch === page.epoch);
  let next: ChatState = {
    ...state,
    reads,
    durable,
    info: fresh ? page.state : state.info,
    top: fresh ? page.top : state.top,
    epoch: page.epoch,
    early: kept,
    hole: reset && state.early.some((entry) => entry.epoch === page.epoch && entry.seq > page.top),
    more: page.more,
  };
  if (reset) next = { ...next, log: [], pending: [...lostCommands(state, page), ...next.pending.map(unsent)] };
  return takeEntries(next, page.entries);
}

/** What was acknowledged in a history that is no more goes out again. */
const unsent = (item: Pending): Pending => (item.status === "sent" ? { ...item, status: "sending" } : item);

/** After a reset our own entries that the new history lacks are commands again: the outbox sends them once more. */
function lostCommands(state: ChatState, page: Page): Pending[] {
  const lost: Pending[] = [];
  for (const entry of state.log) {
    const { key, n, text, at, kind } = entry;
    if (!key || !n || kind === "opened" || kind === "assigned" || kind === "released") continue;
    if (entry.seq <= state.durable.seq && state.durable.epoch === state.epoch) continue; // never lost, only on a later page
    if (findOwn(page.entries, state.device, n) || state.pending.some((item) => item.key === key)) continue;
    lost.push({ key, n, kind, text, at, status: "sending", data: kind === "rated" ? entry.data : undefined });
  }
  return lost;
}

function takeDurable(state: ChatState, { epoch, seq }: Durable): ChatState {
  if (state.epoch && epoch !== state.epoch) return state;
  if (state.durable.epoch === epoch && state.durable.seq >= seq) return state;
  return { ...state, durable: { epoch, seq } };
}

function takeEvent(state: ChatState, event: ChatEvent, now: number): ChatState {
  switch (event.type) {
    case "read":
      return { ...state, reads: mergeReads(state.reads, { [event.participant]: event.seq }) };
    case "typing":
      return { ...state, typing: { ...state.typing, [event.participant]: { name: event.name, until: now + TYPING_MS } } };
    case "queue": {
      if (state.info?.state !== "queued") return state;
      return { ...state, info: { ...state.info, queue: { place: event.place, waiting: event.waiting } } };
    }
    default:
      return state; // an event of a newer server
  }
}

function mergeReads(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const merged = { ...a };
  for (const [participant, seq] of Object.entries(b)) merged[participant] = Math.max(merged[participant] ?? 0, seq);
  return merged;
}

function findOwn<E extends Entry>(entries: E[], device: string, n: number): E | undefined {
  return entries.find((entry) => entry.device === device && entry.n === n);
}

const without = (pending: Pending[], key: string) => pending.filter((item) => item.key !== key);

/** Another tab's commands and ours in the order in which they are sent; those without a number yet come last. */
function byNumber(state: ChatState): ChatState {
  return { ...state, pending: [...state.pending].sort((a, b) => (a.n || Infinity) - (b.n || Infinity) || 0) };
}

function changePending(state: ChatState, key: string, change: Partial<Pending>): ChatState {
  return { ...state, pending: state.pending.map((item) => (item.key === key ? { ...item, ...change } : item)) };
}
