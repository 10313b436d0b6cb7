import { dayTime, formatTicket, fullTime } from "../../client/format";
import type { Result } from "../../client/search/results";
import { Snippet } from "../../client/search/snippet";
import { foundWords } from "../../client/search/state";
import { formatRoute } from "../route";
import { texts } from "../texts";

export function ResultRow({ result, selected }: { result: Result; selected: boolean }) {
  const { ticket, opened_at: at, entry_seq: seq, snippet } = result;
  const about = [result.topic ?? texts.noTopic, result.order, result.agent_name, result.rating === undefined ? undefined : `${result.rating}/5`];
  return (
    <li class={selected ? "row selected" : "row"}>
      <a class="row-link" href={formatRoute({ page: "transcript", ticket, at: seq ?? null, q: foundWords(result) })} aria-current={selected ? "true" : undefined}>
        <span class="row-who">
          <span class="number">{formatTicket(ticket)}</span> <bdi>{result.customer_name ?? texts.anonymous}</bdi>
        </span>
        <time class="row-time" dateTime={new Date(at).toISOString()} title={fullTime(at)}>
          {dayTime(at)}
        </time>
        <span class="row-about" dir="auto">
          {about.filter(Boolean).join(" · ")}
        </span>
        <span class="row-preview" dir="auto">
          <Snippet parts={snippet} />
        </span>
      </a>
    </li>
  );
}
