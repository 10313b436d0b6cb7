/** What a search shows: the results so far, and what is going on. */

import type { Result, Results } from "./calls";

export interface SearchState {
  /** The query that `results` answer. */
  readonly q: string;
  readonly results: readonly Result[];
  readonly next: string | null;
  readonly phase: "first" | "again" | "more" | "done" | "failed";
}

export type SearchEvent =
  | { readonly type: "asked"; readonly more: boolean }
  | { readonly type: "answered"; readonly q: string; readonly more: boolean; readonly answer: Results }
  | { readonly type: "failed" };

export const NO_SEARCH: SearchState = { q: "", results: [], next: null, phase: "first" };

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
      return { q: event.q, results: event.more ? [...state.results, ...added] : added, next: next ?? null, phase: "done" };
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
