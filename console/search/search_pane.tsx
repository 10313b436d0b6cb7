import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { NO_SEARCH, searchAfter, type SearchState } from "../../client/search/state";
import { useDesk } from "../desk/context";
import { currentRoute, go } from "../navigate";
import type { Route } from "../route";
import { texts } from "../texts";
import { searchTranscripts } from "./calls";
import { FacetList } from "./facets";
import { ResultRow } from "./result_row";
import { SearchBox } from "./search_box";

/** How long somebody has to stop typing before we search. */
const PAUSE_MS = 250;

export function SearchPane({ route }: { route: Route }) {
  const words = texts.search;
  const desk = useDesk();
  const asked = route.page === "search" ? route.q : null;
  const [q, setQ] = useState(asked === null || asked === "" ? desk.search.q : asked);
  const [state, happened] = useReducer(searchAfter, desk.search);
  const written = useRef(q);
  const running = useRef<AbortController | null>(null);
  const open = route.page === "transcript" ? route.ticket : null;
  // It stays as it was while the agent is elsewhere.
  desk.search = state.phase === "done" ? state : { ...NO_SEARCH, q };

  async function search(wanted: string, cursor?: string): Promise<void> {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    const more = cursor !== undefined;
    happened({ type: "asked", more });
    try {
      const answer = await searchTranscripts(wanted.trim(), { cursor, signal: control.signal });
      if (!control.signal.aborted) happened({ type: "answered", q: wanted, more, answer });
    } catch {
      if (!control.signal.aborted) happened({ type: "failed" });
    }
  }

  useEffect(() => {
    if (state.phase === "done" && state.q === q) return;
    const timer = setTimeout(() => void search(q), state.phase === "first" ? 0 : PAUSE_MS);
    return () => clearTimeout(timer);
  }, [q]);
  // The address follows the box; an address that somebody else wrote (a link, Back) is followed by the box.
  useEffect(() => {
    if (asked === null || asked === q) return;
    const now = currentRoute();
    if (now.page !== "search" || now.q !== asked) return; // an echo: somebody has gone on typing meanwhile
    if (asked !== "" && asked !== written.current) setQ(asked);
    else go({ page: "search", q }, { replace: true });
  }, [asked]);
  useEffect(() => {
    written.current = q;
    if (asked !== null) go({ page: "search", q }, { replace: true });
  }, [q]);
  useEffect(() => () => running.current?.abort(), []);

  const busy = state.phase === "first" || state.phase === "again";
  return (
    <section class="lists search" aria-label={words.title}>
      {open === null && <h1 class="visually-hidden">{words.title}</h1>}
      <SearchBox q={q} onQ={setQ} onNow={() => void search(q)} />
      <p class="search-count" role="status">
        {summary(state, words)}
      </p>
      {state.meant !== null && state.phase !== "failed" && (
        <p class="search-meant">
          {words.meant}{" "}
          <button class="plain" onClick={() => setQ(state.meant ?? q)}>
            <bdi>{state.meant}</bdi>
          </button>
        </p>
      )}
      {state.facets !== null && state.phase !== "failed" && <FacetList facets={state.facets} q={q} onQ={setQ} />}
      {state.phase === "failed" && (
        <p class="lists-empty wrong" role="alert">
          {words.failed}{" "}
          <button class="plain" onClick={() => void search(q)}>
            {texts.retry}
          </button>
        </p>
      )}
      {state.phase === "first" && (
        <div class="skeleton" aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
        </div>
      )}
      {state.phase === "done" && state.results.length === 0 && (
        <div class="lists-empty">
          <p>{q.trim() === "" ? words.nothing : words.empty}</p>
          {q.trim() !== "" && <p>{words.emptyHint}</p>}
        </div>
      )}
      <ol class={busy || state.phase === "failed" ? "rows stale" : "rows"} aria-busy={busy}>
        {state.results.map((result) => (
          <ResultRow key={result.ticket} result={result} selected={result.ticket === open} />
        ))}
      </ol>
      {state.next !== null && !busy && (
        <button class="more" aria-disabled={state.phase === "more"} onClick={() => state.phase !== "more" && void search(q, state.next ?? undefined)}>
          {state.phase === "more" ? words.loadingMore : words.more}
        </button>
      )}
    </section>
  );
}

function summary(state: SearchState, words: typeof texts.search): string {
  if (state.phase === "first") return words.loading;
  if (state.phase === "failed" || state.results.length === 0) return "";
  const count = words.results(state.results.length, state.next !== null);
  return state.q.trim() === "" ? `${words.newest} · ${count}` : count;
}
