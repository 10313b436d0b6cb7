/**
 * Every frame of docs/protocol.md (subprotocol `chat.v1.json`) as a type, and the two functions that read and write frames.
 * Unknown fields are ignored and unknown entry kinds may come: a `switch` over `kind` needs a default that shows nothing.
 */

export const SUBPROTOCOL = "chat.v1.json";

export type Role = "customer" | "agent" | "supervisor" | "bot" | "system";
export type PersonRole = "customer" | "agent" | "supervisor" | "admin";
export type Audience = "all" | "staff";
export type ChatPhase = "queued" | "active" | "waiting" | "closing" | "closed";
export type CloseReason = "agent" | "customer";

export interface Department {
  id: string;
  name: string;
}

/** Which history of a chat, the last entry one has, and that entry's id. */
export interface Position {
  epoch: number;
  seq: number;
  entry_id: string;
}

export interface ChatPosition extends Partial<Position> {
  ticket: number;
}

// ---- entries ---------------------------------------------------------------------------------------------------------------

export interface OpenedData {
  topic?: string;
  department?: Department | string;
  order?: string;
  product?: string;
  regarding?: number[];
  keep?: string[];
}

export interface AssignedData {
  owner: string;
  name: string;
  gen: number;
}

/** The owner's connections were gone for too long: the chat waits again. The entry names that agent. */
export interface ReleasedData {
  reason: "agent_lost";
  gen: number;
}

export interface ClosedData {
  reason: CloseReason;
}

export interface RatedData {
  rating: number;
}

interface EntryBase {
  op?: "entry";
  epoch: number;
  seq: number;
  prev: number;
  at: number;
  entry_id: string;
  audience: Audience;
  ticket: number;
  role: Role;
  participant: string;
  name?: string;
  text?: string;
  /** When its text, name and data were erased. */
  erased_at?: number;
  device?: string;
  n?: number;
  masked?: string[];
}

export type Entry = EntryBase &
  (
    | { kind: "opened"; data?: OpenedData }
    | { kind: "message"; data?: undefined }
    | { kind: "note"; data?: undefined }
    | { kind: "assigned"; data: AssignedData }
    | { kind: "released"; data: ReleasedData }
    | { kind: "closed"; data?: ClosedData }
    | { kind: "rated"; data?: RatedData }
  );

export type EntryKind = Entry["kind"];

// ---- chats -----------------------------------------------------------------------------------------------------------------

export interface QueuePlace {
  /** 1 is next. */
  place: number;
  /** How many wait in the department. */
  waiting: number;
}

export interface Participant {
  participant: string;
  role: Role;
  name?: string;
}

/** The chat as it is after its whole log. */
export interface ChatInfo {
  state: ChatPhase;
  mode: "live" | "mail";
  topic?: string;
  department: Department;
  order?: string;
  product?: string;
  customer_name?: string;
  me: string;
  owner?: { participant: string; name: string };
  opened_at: number;
  accepted_at?: number;
  closed_at?: number;
  close_reason?: CloseReason;
  rating?: number;
  participants: Participant[];
  durable: number;
  queue?: QueuePlace;
  gen?: number;
  /** Staff only: whether the site has signed who the customer is. */
  verified?: boolean;
  /** Staff only: the page on which the customer opened the chat, and the language. */
  page_url?: string;
  locale?: string;
}

export interface Page {
  op: "page";
  id?: number;
  ticket: number;
  ok?: true;
  reset?: true;
  epoch: number;
  top: number;
  state: ChatInfo;
  reads: Record<string, number>;
  entries: Entry[];
  more: boolean;
}

/** What stands in `welcome.chats` for a chat that is not there or not ours. */
export interface MissingChat {
  ticket: number;
  error: "not_found";
}

/** A line of a queue or of a list of chats. */
export interface ChatItem {
  ticket: number;
  since: number;
  name?: string;
  topic?: string;
  order?: string;
  department: string;
  preview?: string;
  verified: boolean;
}

// ---- frames from the server ------------------------------------------------------------------------------------------------

export interface Limits {
  frame_bytes: number;
  text_chars: number;
  in_flight: number;
  chats: number;
  page_entries: number;
}

export interface Welcome {
  op: "welcome";
  id: number;
  connection: string;
  now: number;
  person: { id: string; role: PersonRole; name?: string; departments?: Department[] };
  limits: Limits;
  ping_every: number;
  resume_token: string;
  chats: (Page | MissingChat)[];
}

/** The answer to a command. `detach` and `unwatch` are answered by `id` (and `ticket`) alone. */
export interface Ack {
  op: "ack";
  id: number;
  ticket: number;
  n: number;
  seq: number;
  prev: number;
  epoch: number;
  entry_id: string;
  at: number;
  text?: string;
  masked?: string[];
  dup?: boolean;
  /** open_chat only. */
  access_code?: string;
  /** open_chat and reserve_ticket. */
  claim?: string;
  /** open_chat and take_chat. */
  page?: Page;
  /** take_chat only. */
  gen?: number;
}

export type DepartmentEvent = { type: "queued"; item: ChatItem } | { type: "left"; ticket: number; taken_by?: string };
export type AgentEvent = { type: "assigned"; item: ChatItem } | { type: "released"; ticket: number };

export interface WaitingList {
  waiting: ChatItem[];
  count: number;
}

export interface ChatList {
  chats: ChatItem[];
}

export interface Snapshot<S = WaitingList | ChatList> {
  op: "snapshot";
  id: number;
  topic: string;
  version: number;
  state: S;
}

export type Topic = `department:${string}` | `agent:${string}`;

export type TopicEvent = { op: "event"; topic: Topic; version: number } & (DepartmentEvent | AgentEvent);

export type ChatEvent = { op: "event"; topic: "chat"; version?: undefined; ticket: number } & (
  | { type: "typing"; participant: string; name?: string }
  | { type: "read"; participant: string; seq: number }
  | ({ type: "queue" } & QueuePlace)
);

export type EventFrame = ChatEvent | TopicEvent;

export type ErrorCode =
  | "invalid"
  | "unknown_command"
  | "not_found"
  | "gap"
  | "conflict"
  | "stale_gen"
  | "already_assigned"
  | "chat_closed"
  | "too_big"
  | "rate_limited"
  | "unavailable"
  | "reset";

export interface ErrorFrame {
  op: "error";
  id?: number;
  code: ErrorCode;
  message: string;
  retry_after_ms?: number;
  last_n?: number;
  owner?: string;
  ticket?: number;
  n?: number;
}

export interface Durable {
  op: "durable";
  ticket: number;
  epoch: number;
  seq: number;
}

export interface Bye {
  op: "bye";
  after_ms: number;
  reconnect: boolean;
}

export type EntryFrame = Entry & { op: "entry" };

export type ServerFrame =
  | Welcome
  | Ack
  | Page
  | Snapshot
  | ErrorFrame
  | EntryFrame
  | Durable
  | EventFrame
  | Bye
  | { op: "ping" }
  | { op: "pong" };

// ---- frames from the client ------------------------------------------------------------------------------------------------

export interface OpenChat {
  op: "open_chat";
  /** 32 lower-case hex digits; the same key gives the same ticket. */
  chat_key: string;
  claim?: string;
  text: string;
  department?: string;
  topic?: string;
  order?: string;
  product?: string;
  name?: string;
  email?: string;
  locale?: string;
  page_url?: string;
  regarding?: number[];
}

export type PostMessage = { op: "post_message"; ticket: number; text: string; gen?: number; keep?: string[] };
export type PostNote = { op: "post_note"; ticket: number; text: string };
export type CloseChat = { op: "close_chat"; ticket: number; gen?: number };
export type RateChat = { op: "rate_chat"; ticket: number; rating: number; text?: string };
export type TakeChat = { op: "take_chat"; ticket: number };

/** Commands that change a chat. They count in `n` (given by the outbox) and are kept until they are durable. */
export type ChatCommand = OpenChat | PostMessage | PostNote | CloseChat | RateChat | TakeChat;

/** Commands that only ask. They are answered on the same connection or not at all. */
export type Query =
  | ({ op: "attach" | "pull"; limit?: number } & ChatPosition)
  | { op: "detach"; ticket: number }
  | { op: "watch" | "unwatch"; topic: string };

export type Hello = {
  op: "hello";
  device: string;
  pass?: string;
  resume_token?: string;
  chats?: ChatPosition[];
};

export type Signal = { op: "read"; ticket: number; seq: number } | { op: "typing"; ticket: number } | { op: "ping" } | { op: "pong" };

export type ClientFrame = ((Hello | Query) & { id: number }) | (ChatCommand & { id: number; n?: number }) | Signal;

/** The frames of one WebSocket message: one object a line. */
export function parseFrames(text: string): ServerFrame[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ServerFrame);
}

export function isMissing(answer: Page | MissingChat): answer is MissingChat {
  return "error" in answer;
}
