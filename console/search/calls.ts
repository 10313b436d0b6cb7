/** The transcripts that this agent may see. */

import { call } from "../../client/http";
import type { ChatPhase, Department } from "../../client/protocol";
import type { Transcript } from "../../client/transcript";

export interface SnippetPart {
  text: string;
  match: boolean;
}

export interface Result {
  ticket: number;
  state: ChatPhase;
  score: number;
  opened_at: number;
  closed_at?: number;
  topic?: string;
  order?: string;
  department: Department | string;
  customer_name?: string;
  agent_name?: string;
  rating?: number;
  entry_seq?: number;
  snippet: SnippetPart[];
}

export interface FacetValue {
  value: string;
  chats: number;
}

/** Of how many chats, whether there are more, and how many of them have which topic, agent and month (2026-03). */
export interface Facets {
  chats: number;
  more: boolean;
  topic: FacetValue[];
  agent: FacetValue[];
  month: FacetValue[];
}

export interface Results {
  results: Result[];
  next?: string;
  did_you_mean?: string;
  /** On a first page. */
  facets?: Facets;
}

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
