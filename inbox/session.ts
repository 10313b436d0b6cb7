/** Who came from the chat window: a pass, good for once and 30 s, becomes a token that this tab keeps. */

import { call } from "../client/http";

const KEPT = "inbox.session";

export async function enterInbox(pass: string): Promise<string> {
  return (await call<{ inbox_token: string }>("POST", "/api/v1/inbox-sessions", { body: { pass } })).inbox_token;
}

/** It survives a reload of this tab, and goes with the tab. */
export function keepSession(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, token);
  } catch {
    // Storage is blocked: a reload asks for the access code.
  }
}

export function keptSession(): string | null {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
