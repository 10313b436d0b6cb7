import { useEffect, useState } from "preact/hooks";
import { dayTime, formatTicket } from "../../client/format";
import type { Result } from "../../client/search/results";
import { formatRoute } from "../route";
import { texts } from "../texts";
import { type EarlierOf, findEarlier } from "./earlier";

export function Earlier({ ticket, order, name, regarding }: EarlierOf & { regarding: readonly number[] }) {
  const words = texts.customer;
  const [found, setFound] = useState<Result[] | "loading" | "failed">("loading");

  useEffect(() => {
    const control = new AbortController();
    findEarlier({ ticket, order, name }, control.signal).then(setFound, () => !control.signal.aborted && setFound("failed"));
    return () => control.abort();
  }, [ticket, order, name]);

  const link = (number: number) => formatRoute({ page: "transcript", ticket: number, at: null, q: "" });
  return (
    <section class="earlier" aria-labelledby="earlier-title">
      {regarding.length > 0 && (
        <p>
          {words.regarding} {regarding.map((number) => <a key={number} href={link(number)}>{formatTicket(number)}</a>)}
        </p>
      )}
      <h3 id="earlier-title" title={words.earlierWhy}>
        {words.earlier}
      </h3>
      {found === "loading" && (
        <div class="skeleton" aria-hidden="true">
          <i />
        </div>
      )}
      {found === "failed" && <p class="muted">{words.earlierFailed}</p>}
      {Array.isArray(found) && found.length === 0 && <p class="muted">{words.noEarlier}</p>}
      {Array.isArray(found) && found.length > 0 && (
        <ul>
          {found.map((result) => (
            <li key={result.ticket}>
              <a href={link(result.ticket)}>{formatTicket(result.ticket)}</a> <bdi>{result.topic ?? texts.noTopic}</bdi>
              <span>{dayTime(result.opened_at)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
