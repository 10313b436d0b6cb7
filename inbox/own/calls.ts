/** One's own chats (docs/http.md): the list, the search in it, and the way into a transcript. */

import { zoneName } from "../../client/format";
import { call } from "../../client/http";
import type { Results } from "../../client/search/results";
import type { Transcript } from "../../client/transcript";
import type { Pass } from "../state";

const OWN = "/api/v1/own-chats";

/** Without words, all of them, the newest first. */
export function findOwn(q: string, { token, cursor, signal }: { token: string; cursor?: string | undefined; signal: AbortSignal }): Promise<Results> {
  const params = new URLSearchParams({ q, limit: "20", tz: zoneName() });
  if (cursor !== undefined) params.set("cursor", cursor);
  return call<Results>("GET", `${OWN}?${params}`, { token, signal });
}

export async function openOwn(ticket: number, token: string, signal: AbortSignal): Promise<{ pass: Pass; transcript: Transcript }> {
  const answer = await call<{ view_token: string; transcript: Transcript }>("POST", `${OWN}/${ticket}/views`, { token, signal });
  return { pass: { ticket, token: answer.view_token }, transcript: answer.transcript };
}
