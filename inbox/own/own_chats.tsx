import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { HttpError } from "../../client/http";
import { NO_SEARCH, searchAfter, type SearchState } from "../../client/search/state";
import { type ChatRoute, formatRoute, type ListRoute, replaceRoute } from "../route";
import { problemOf, type Problem } from "../state";
import { problemText, texts } from "../texts";
import { findOwn } from "./calls";
import { ChatRow } from "./chat_row";
import { OwnTranscript } from "./own_transcript";
import { SearchBox } from "./search_box";

/** How long somebody has to stop typing before we search. */
const PAUSE_MS = 250;
/** A browser says that it is online a little before requests arrive: so long we go on asking, and how often. */
const RETURN_MS = 15_000;
const RETRY_MS = 1_000;

export interface OwnChatsProps {
  token: string;
  route: ListRoute | ChatRoute;
  /** The token does not count any more. */
  onEnded: () => void;
}

/** The list and, in its place, one of its chats. The list stays as it was meanwhile, and so does the place in it. */
export function OwnChats({ token, route, onEnded }: OwnChatsProps) {
  const [q, setQ] = useState(route.page === "list" ? route.q : "");
  const [state, happened] = useReducer(searchAfter, NO_SEARCH);
  const [problem, setProblem] = useState<Problem | null>(null);
  const running = useRef<AbortController | null>(null);
  const backAt = useRef(0);
  const place = useRef<{ top: number; ticket: number | null }>({ top: 0, ticket: null });
  const asked = route.page === "list" ? route.q : null;

  async function search(wanted: string, cursor?: string): Promise<void> {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    const more = cursor !== undefined;
    happened({ type: "asked", more });
    try {
      const answer = await findOwn(wanted.trim(), { token, cursor, signal: control.signal });
      if (control.signal.aborted) return;
      setProblem(null);
      happened({ type: "answered", q: wanted, more, answer });
    } catch (error) {
      if (control.signal.aborted) return;
      if (error instanceof HttpError && error.status === 401) return onEnded();
      setProblem(problemOf(error, true, Date.now()));
      happened({ type: "failed" });
    }
  }

  useEffect(() => {
    history.scrollRestoration = "manual"; // the place in the list is ours to keep
    return () => running.current?.abort();
  }, []);
  useEffect(() => {
    if (state.phase === "done" && state.q === q) return;
    const timer = setTimeout(() => void search(q), state.phase === "first" ? 0 : PAUSE_MS);
    return () => clearTimeout(timer);
  }, [q]);
  useEffect(() => {
    if (route.page === "list") replaceRoute({ page: "list", q });
  }, [q]);
  useEffect(() => {
    // An address that somebody else wrote: a link, Back.
    if (asked !== null && asked !== q) setQ(asked);
  }, [asked]);
  useEffect(() => {
    if (state.phase !== "failed") return;
    const again = () => void search(q);
    const back = () => {
      backAt.current = Date.now();
      again();
    };
    const retry = Date.now() - backAt.current < RETURN_MS ? setTimeout(again, RETRY_MS) : undefined;
    addEventListener("online", back);
    return () => {
      clearTimeout(retry);
      removeEventListener("online", back);
    };
  }, [state.phase, q]);

  function leaveList(event: MouseEvent): void {
    const link = (event.target as Element).closest<HTMLElement>("[data-ticket]");
    if (link !== null) place.current = { top: scrollY, ticket: Number(link.dataset.ticket) };
  }

  if (route.page === "chat") {
    const back = () => (place.current.ticket === route.ticket ? history.back() : (location.hash = formatRoute({ page: "list", q })));
    return <OwnTranscript key={`${route.ticket} ${route.at}`} token={token} route={route} onBack={back} onEnded={onEnded} />;
  }
  return (
    <List state={state} q={q} problem={problem} place={place.current} onQ={setQ} onSearch={(cursor) => void search(q, cursor)} onClick={leaveList} />
  );
}

interface ListProps {
  state: SearchState;
  q: string;
  problem: Problem | null;
  place: { top: number; ticket: number | null };
  onQ: (q: string) => void;
  onSearch: (cursor?: string) => void;
  onClick: (event: MouseEvent) => void;
}

function List({ state, q, problem, place, onQ, onSearch, onClick }: ListProps) {
  const words = texts.own;
  const heading = useRef<HTMLHeadingElement>(null);
  const rows = useRef<HTMLOListElement>(null);
  const { phase, results, next, meant } = state;
  const busy = phase === "first" || phase === "again";

  useLayoutEffect(() => {
    document.title = words.title;
    const left = place.ticket === null ? null : rows.current?.querySelector<HTMLElement>(`[data-ticket="${place.ticket}"]`);
    (left ?? heading.current)?.focus({ preventScroll: true });
    scrollTo(0, place.top);
  }, []);

  return (
    <main class="own">
      <header class="own-head">
        <h1 ref={heading} tabIndex={-1}>
          {words.title}
        </h1>
        <a href={formatRoute({ page: "code" })}>{words.byCode}</a>
      </header>
      <SearchBox q={q} onQ={onQ} onNow={() => onSearch()} />
      <p class="own-count" role="status">
        {summary(state)}
      </p>
      {meant !== null && phase !== "failed" && (
        <p class="own-meant">
          {words.meant}{" "}
          <button class="plain" onClick={() => onQ(meant)}>
            <bdi>{meant}</bdi>
          </button>
        </p>
      )}
      {phase === "failed" && problem !== null && (
        <p class="own-told wrong" role="alert">
          {problem.kind === "wait" ? words.slower : problemText(problem, Date.now())}{" "}
          <button class="plain" onClick={() => onSearch()}>
            {texts.retry}
          </button>
        </p>
      )}
      {phase === "first" && (
        <div class="skeleton" aria-hidden="true">
          {[1, 2, 3, 4].map((row) => (
            <i key={row} class="block" />
          ))}
        </div>
      )}
      {phase === "done" && results.length === 0 && (
        <p class="own-hint">{q.trim() === "" ? words.noneHint : words.nothingFoundHint}</p>
      )}
      <ol ref={rows} class={phase === "again" || phase === "failed" ? "own-rows stale" : "own-rows"} aria-busy={busy} onClick={onClick}>
        {results.map((result) => (
          <ChatRow key={result.ticket} result={result} />
        ))}
      </ol>
      {next !== null && !busy && phase !== "failed" && (
        <button class="own-more" aria-disabled={phase === "more"} onClick={() => phase !== "more" && onSearch(next)}>
          {phase === "more" ? words.loadingMore : words.more}
        </button>
      )}
    </main>
  );
}

function summary({ phase, results, next, q }: SearchState): string {
  const words = texts.own;
  if (phase === "first") return words.loading;
  if (phase === "failed") return "";
  if (results.length === 0) return q.trim() === "" ? words.none : words.nothingFound;
  return words.count(results.length, next !== null, q.trim() !== "");
}
