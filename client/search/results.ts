/** What a search answers, to staff and to customers (docs/http.md). */

import type { ChatPhase, Department } from "../protocol";

export interface SnippetPart {
  text: string;
  match: boolean;
}

export interface Result {
  ticket: number;
  state: ChatPhase;
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
