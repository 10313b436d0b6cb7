/** What the tabs of one browser say to each other: those that follow to the one that has the socket, and back. */

import type { SocketStatus } from "../connection";
import type { Letter, OutboxItem } from "../outbox";
import type { ErrorFrame, Limits, Query, Welcome } from "../protocol";
import type { SocketEvents } from "../socket";

/** Tabs of different versions (an update of the server came between them) do not understand each other: each version has its own socket. */
export const VERSION = 1;

/** How long a tab that has the socket may be silent before it is taken for frozen or dead. */
export const PATIENCE_MS = 3_000;

/** What a tab has to know to go on from where the one with the socket is. */
export interface Shared {
  device: string;
  limits: Limits;
  status: SocketStatus;
  items: readonly OutboxItem[];
  /** The last one, without its pages, with `now` as of the moment it is told. */
  welcome?: Welcome;
}

export type Asked =
  | { m: "join" | "ping" | "leave" }
  | { m: "ask"; id: number; query: Query }
  | { m: "read"; ticket: number; seq: number }
  | { m: "typing"; ticket: number }
  /** The command also lies in the store, for the case that nobody hears this. */
  | { m: "letter"; letter: Letter }
  | { m: "remove"; key: string }
  | { m: "clear" | "wake" | "start" };

export type Told =
  /** To all, when there is a new leader, or to one that joins. */
  | { m: "here"; to?: string; shared: Shared }
  | { m: "pong"; to: string }
  | { m: "event"; name: keyof SocketEvents; args: unknown[] }
  | { m: "answer"; to: string; id: number; error?: ErrorFrame; lost?: boolean }
  /** The letter was taken long ago, and all that it asked for is done. */
  | { m: "known"; to: string; key: string };

/** Every word of the tab with the socket: its term (a later one has a higher), and how many events it has told so far. */
export type FromLeader = Told & { term: number; count: number };
export type FromFollower = Asked & { from: string };

/** One at a time listens. */
export class Channel {
  onleader: (said: FromLeader) => void = () => {};
  onfollower: (said: FromFollower) => void = () => {};

  private readonly line: BroadcastChannel;
  private open = true;

  constructor(
    scope: string,
    private readonly tab: string,
  ) {
    this.line = new BroadcastChannel(`${scope}.v${VERSION}`);
    this.line.onmessage = ({ data }: MessageEvent<FromLeader | FromFollower>) => {
      if ("term" in data) this.onleader(data);
      else this.onfollower(data);
    };
  }

  ask(asked: Asked): void {
    if (this.open) this.line.postMessage({ ...asked, from: this.tab } satisfies FromFollower);
  }

  tell(told: FromLeader): void {
    if (this.open) this.line.postMessage(told);
  }

  close(): void {
    this.open = false;
    this.line.close();
  }
}
