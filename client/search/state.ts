/** What a search shows: the results so far, and what is going on. */

import type { Facets, Result, Results } from "./results";

export interface SearchState {
  /** The query that `results` answer. */
  readonly q: string;
  readonly results: readonly Result[];
  readonly next: string | null;
  readonly meant: string | null;
  readonly facets: Facets | null;
  readonly phase: "first" | "again" | "more" | "done" | "failed";
}

export type SearchEvent =
  | { readonly type: "asked"; readonly more: boolean }
  | { readonly type: "answered"; readonly q: string; readonly more: boolean; readonly answer: Results }
  | { readonly type: "failed" };

export const NO_SEARCH: SearchState = { q: "", results: [], next: null, meant: null, facets: null, phase: "first" };

export function searchAfter(state: SearchState, event: SearchEvent): SearchState {
  switch (event.type) {
    case "asked":
      // The old results stay until the new ones are there: nothing jumps.
      return { ...state, phase: event.more ? "more" : state.phase === "first" || state.results.length === 0 ? "first" : "again" };
    case "answered": {
      const { results, next } = event.answer;
      const known = new Set(event.more ? state.results.map(({ ticket }) => ticket) : []);
      // A chat that moved down between two pages is shown once.
      const added = results.filter(({ ticket }) => !known.has(ticket));
      const page = { q: event.q, next: next ?? null, phase: "done" } as const;
      if (event.more) return { ...state, ...page, results: [...state.results, ...added] };
      return { ...page, results: added, meant: event.answer.did_you_mean ?? null, facets: event.answer.facets ?? null };
    }
    case "failed":
      return { ...state, phase: "failed" };
  }
}

/** The words that a result was found by, to be marked in its transcript. */
export function foundWords(result: Result): string {
  const words = result.snippet.filter(({ match }) => match).map(({ text }) => text.trim().toLowerCase());
  return [...new Set(words.flatMap((text) => text.split(/\s+/)))].filter(Boolean).join(" ");
}

/** The query with one more filter; a month is the day it was opened on. Taken out again if it is there. */
export function withFacet(q: string, kind: FacetKind, value: string): string {
  const filter = facetFilter(kind, value);
  const parts = q.trim().split(filter);
  return (parts.length > 1 ? parts.map((part) => part.trim()).join(" ") : `${q.trim()} ${filter}`).trim();
}

export function hasFacet(q: string, kind: FacetKind, value: string): boolean {
  return q.includes(facetFilter(kind, value));
}

export type FacetKind = "topic" | "agent" | "month";

function facetFilter(kind: FacetKind, value: string): string {
  return kind === "month" ? `on:${value}` : `${kind}:"${value.replaceAll('"', "")}"`;
}
