/** The calls of docs/http.md that need no account: ticket number and access code. */

import { zoneName } from "../client/format";
import { call } from "../client/http";
import { download, loadRest, type Transcript } from "../client/transcript";
import type { Pass } from "./state";

const VIEWS = "/api/v1/transcript-views";
const KEPT = "inbox.view";

export async function openTranscript(ticket: string, code: string): Promise<{ pass: Pass; transcript: Transcript }> {
  const body = { ticket: ticket.trim(), access_code: code.trim() };
  const { view_token: token, transcript } = await call<{ view_token: string; transcript: Transcript }>("POST", VIEWS, { body });
  return { pass: { ticket: transcript.ticket, token }, transcript };
}

export async function loadTranscript({ ticket, token }: Pass, signal?: AbortSignal): Promise<Transcript> {
  return (await call<{ transcript: Transcript }>("GET", `${VIEWS}/${ticket}`, { token, signal })).transcript;
}

export function loadRestOf({ ticket, token }: Pass, first: Transcript, onPage: (transcript: Transcript) => void, signal: AbortSignal): Promise<void> {
  return loadRest(`${VIEWS}/${ticket}`, first, onPage, { token, signal });
}

/** The formats in which a transcript is exported; all but `txt` carry the proof. */
export type Form = "html" | "pdf" | "txt" | "eml" | "json";

export function downloadAs({ ticket, token }: Pass, form: Form): Promise<void> {
  return download(`${VIEWS}/${ticket}/export.${form}?tz=${encodeURIComponent(zoneName())}`, `chat-${ticket}.${form}`, token);
}

/** The view token (not the code) survives a reload of this tab, and goes with the tab. */
export function keepPass(pass: Pass | null): void {
  try {
    if (pass === null) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify(pass));
  } catch {
    // Storage is blocked: a reload asks again.
  }
}

export function keptPass(): Pass | null {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    return isPass(kept) ? kept : null;
  } catch {
    return null;
  }
}

function isPass(value: unknown): value is Pass {
  return typeof value === "object" && value !== null && "ticket" in value && "token" in value && typeof value.ticket === "number" && typeof value.token === "string";
}
