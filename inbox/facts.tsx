import { dayTime, shortTime, zoneName } from "../client/format";
import { type Access, departmentName, type Transcript } from "../client/transcript";
import { type Fact, FactList } from "../client/ui/facts";
import { texts } from "./texts";

/** What the transcript is of: from whom, about what, from when to when. */
export function Facts({ transcript }: { transcript: Transcript }) {
  const labels = texts.facts;
  const rows: Fact[] = [
    [labels.order, transcript.order],
    [labels.product, transcript.product],
    [labels.customer, transcript.customer_name],
    [labels.agent, transcript.agent_name ?? texts.nobodyYet],
    [labels.department, departmentName(transcript.department)],
    [labels.time, span(transcript)],
    [labels.rating, transcript.rating === undefined ? undefined : texts.ratingOf(transcript.rating)],
  ];
  return <FactList kind="facts" facts={rows} />;
}

export function Seal({ transcript, onReload }: { transcript: Transcript; onReload: () => void }) {
  const { sealed, state } = transcript;
  const closed = state === "closed" || state === "closing";
  if (sealed !== null) {
    return (
      <div class="seal done">
        <strong>
          {texts.sealed} <span aria-hidden="true">✓</span>
        </strong>
        <p>{texts.sealedWhy(dayTime(sealed.at))}</p>
      </div>
    );
  }
  return (
    <div class="seal">
      <strong>{texts.notSealed}</strong>
      <p>{closed ? texts.notSealedClosed : texts.notSealedOpen}</p>
      <button class="plain" onClick={onReload}>
        {texts.refresh}
      </button>
    </div>
  );
}

/** Every opening of this transcript, by whomever. */
export function Accesses({ accesses }: { accesses: Access[] }) {
  return (
    <details class="accesses">
      <summary>{texts.accesses.title(accesses.length)}</summary>
      <ul>
        {accesses.map(({ at, by, how }, place) => (
          <li key={place}>
            {texts.accesses[by]} · {dayTime(at)}
            {how === "download" && ` · ${texts.accesses.download}`}
          </li>
        ))}
      </ul>
    </details>
  );
}

export function Zone() {
  return <p class="zone">{texts.zone(zoneName())}</p>;
}

function span({ opened_at, closed_at }: Transcript): string {
  if (closed_at === undefined) return texts.stillOpen(dayTime(opened_at));
  const sameDay = new Date(opened_at).toDateString() === new Date(closed_at).toDateString();
  return texts.until(dayTime(opened_at), sameDay ? shortTime(closed_at) : dayTime(closed_at));
}
