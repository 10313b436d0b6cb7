/** What the inbox shows: the form, a transcript on its way, or a transcript. Ticket and code are kept in memory only. */

import { HttpError } from "../client/http";
import type { Transcript } from "../client/transcript";

export type Problem =
  | { readonly kind: "wrong" } // unknown ticket, wrong code, not yours: one answer
  | { readonly kind: "wait"; readonly until: number }
  | { readonly kind: "expired" }
  | { readonly kind: "offline" }
  | { readonly kind: "server" };

export interface Pass {
  readonly ticket: number;
  readonly token: string;
}

export type Inbox =
  | { readonly page: "form"; readonly ticket: string; readonly busy: boolean; readonly problem: Problem | null }
  | { readonly page: "loading"; readonly pass: Pass }
  | { readonly page: "transcript"; readonly pass: Pass; readonly transcript: Transcript; readonly problem: Problem | null };

export type Happened =
  | { readonly type: "asked"; readonly ticket: string }
  | { readonly type: "opened"; readonly pass: Pass; readonly transcript: Transcript }
  | { readonly type: "loaded"; readonly transcript: Transcript }
  | { readonly type: "failed"; readonly problem: Problem }
  | { readonly type: "left" };

export function startInbox(kept: Pass | null, ticket: string): Inbox {
  // A link to another ticket wins over the view that this tab had.
  if (kept !== null && (ticket === "" || digits(ticket) === String(kept.ticket))) return { page: "loading", pass: kept };
  return { page: "form", ticket, busy: false, problem: null };
}

export function inboxAfter(inbox: Inbox, happened: Happened): Inbox {
  switch (happened.type) {
    case "asked":
      return { page: "form", ticket: happened.ticket, busy: true, problem: null };
    case "opened":
      return { page: "transcript", pass: happened.pass, transcript: happened.transcript, problem: null };
    case "loaded":
      return inbox.page === "form" ? inbox : { page: "transcript", pass: inbox.pass, transcript: happened.transcript, problem: null };
    case "failed":
      return afterFailure(inbox, happened.problem);
    case "left":
      return { page: "form", ticket: "", busy: false, problem: null };
  }
}

function afterFailure(inbox: Inbox, problem: Problem): Inbox {
  if (inbox.page === "form") return { ...inbox, busy: false, problem };
  // What somebody is reading stays; only the next step failed.
  if (inbox.page === "transcript" && problem.kind !== "expired") return { ...inbox, problem };
  return { page: "form", ticket: String(inbox.pass.ticket), busy: false, problem };
}

/** `viewing`: the call was made with a view token, so a refusal means that its hour is over. */
export function problemOf(error: unknown, viewing: boolean, now: number): Problem {
  if (!(error instanceof HttpError)) return { kind: "server" };
  if (error.status === 0) return { kind: "offline" };
  if (error.status === 429) return { kind: "wait", until: now + (error.retryAfterMs ?? 60_000) };
  if (error.status >= 500) return { kind: "server" };
  return { kind: viewing ? "expired" : "wrong" };
}

/** The ticket of a link, `#ticket=100009`. */
export function ticketOfFragment(fragment: string): string {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("ticket")?.slice(0, 40) ?? "";
}

function digits(text: string): string {
  return text.replace(/\D/g, "");
}
