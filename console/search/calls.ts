/** The transcripts that this agent may see. */

import { call } from "../../client/http";
import type { Results } from "../../client/search/results";
import type { Transcript } from "../../client/transcript";

export const transcriptPath = (ticket: number): string => `/api/v1/transcripts/${ticket}`;

export function searchTranscripts(q: string, options: { cursor?: string | undefined; limit?: number; signal: AbortSignal }): Promise<Results> {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const params = new URLSearchParams({ q, limit: String(options.limit ?? 20), tz: timeZone });
  if (options.cursor !== undefined) params.set("cursor", options.cursor);
  else params.set("facets", "1");
  return call<Results>("GET", `/api/v1/transcripts?${params}`, { signal: options.signal });
}

export async function getTranscript(ticket: number, signal: AbortSignal): Promise<Transcript> {
  return (await call<{ transcript: Transcript }>("GET", transcriptPath(ticket), { signal })).transcript;
}
