/**
 * What the loader and the panel say to each other by `postMessage`. Both name the other's origin when they post, and both take a
 * message only from the other's window at the other's origin. The panel learns the page's origin from the loader's first message;
 * that the page may embed it at all is the server's word (`frame-ancestors`).
 */

/** What a page may say about the chat it embeds. */
export interface PanelOptions {
  locale?: string;
  topic?: string;
  /** `#rgb` or `#rrggbb`. */
  color?: string;
  page_url?: string;
}

export type ToPanel = { chat: "hello"; options: PanelOptions } | { chat: "shown"; shown: boolean; focus: boolean };

/** Events that a page can listen to with `Chat('on', …)`. */
export interface ChatEvents {
  ready: undefined;
  open: undefined;
  close: undefined;
  unread: { count: number };
  ticket: { ticket: number };
  ended: { ticket: number };
  error: { problem: string; explanation: string };
}

export type ToLoader =
  | { chat: "ready" }
  | { chat: "close" }
  | { chat: "unread"; count: number }
  /** A chat goes on: the loader brings the panel back on the next page. */
  | { chat: "live"; live: boolean }
  | { chat: "event"; name: "ticket" | "ended"; ticket: number };

interface Received {
  origin: string;
  source: unknown;
  data: unknown;
}

/** The message, if it came from this window at this origin. */
export function accept<M extends { chat: string }>(event: Received, source: unknown, origin: string): M | undefined {
  if (!source || event.source !== source || event.origin !== origin) return undefined;
  const data = event.data as M | null;
  return typeof data === "object" && data && typeof data.chat === "string" ? data : undefined;
}
