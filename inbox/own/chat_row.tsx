import { dayTime, formatTicket, fullTime } from "../../client/format";
import type { Result } from "../../client/search/results";
import { Snippet } from "../../client/search/snippet";
import { foundWords } from "../../client/search/state";
import { formatRoute } from "../route";
import { texts } from "../texts";

/** A chat of the list: what it was about, when, with whom, and what was found in it. */
export function ChatRow({ result }: { result: Result }) {
  const { ticket, opened_at: at, entry_seq: seq, snippet, agent_name: agent, order } = result;
  const open = result.state !== "closed" && result.state !== "closing";
  return (
    <li class="own-row">
      <a href={formatRoute({ page: "chat", ticket, at: seq ?? null, words: foundWords(result) })} data-ticket={ticket}>
        <span class="own-what">
          <bdi>{result.topic ?? texts.noTopic}</bdi>
          {open && <span class="own-open">{texts.own.open}</span>}
        </span>
        <time class="own-time" dateTime={new Date(at).toISOString()} title={fullTime(at)}>
          {dayTime(at)}
        </time>
        <span class="own-about">
          {formatTicket(ticket)}
          {order !== undefined && (
            <>
              {" · "}
              <bdi>{order}</bdi>
            </>
          )}
          {agent !== undefined && (
            <>
              {" · "}
              <bdi>{agent}</bdi>
            </>
          )}
        </span>
        <span class="own-said" dir="auto">
          <Snippet parts={snippet} />
        </span>
      </a>
    </li>
  );
}
