import { useState } from "preact/hooks";
import { dayTime, formatTicket, sameDay, shortTime } from "../../client/format";
import { departmentName, download, type Transcript } from "../../client/transcript";
import { type Fact, FactList } from "../../client/ui/facts";
import { Badge } from "../chat/chat_header";
import { DownloadIcon, PrintIcon } from "../icons";
import { formatRoute } from "../route";
import { texts } from "../texts";
import { transcriptPath } from "./calls";

export function TranscriptHead({ transcript, hits }: { transcript: Transcript; hits: number | null }) {
  const words = texts.transcript;
  const { ticket, customer, sealed, accesses, rating } = transcript;
  const facts: Fact[] = [
    [texts.customer.order, transcript.order],
    [texts.customer.product, transcript.product],
    [texts.customer.department, departmentName(transcript.department)],
    [words.answeredBy, transcript.agent_name ?? words.nobody],
    [words.time, span(transcript)],
    [texts.customer.rating, rating === undefined ? undefined : texts.customer.rated(rating)],
    [words.accesses, readBy(accesses)],
  ];
  const open = transcript.state !== "closed" && transcript.state !== "closing";
  return (
    <header class="reading-head">
      <p class="muted">
        <bdi>{transcript.site_name}</bdi>
      </p>
      <h1>
        <span class="number">{formatTicket(ticket)}</span> <bdi>{customer?.name ?? transcript.customer_name ?? texts.anonymous}</bdi>{" "}
        {customer !== undefined && <Badge verified={customer.verified} />}
      </h1>
      <p>
        <bdi>{transcript.topic ?? texts.noTopic}</bdi>
      </p>
      <FactList kind="facts" facts={facts} />
      <p class={sealed === null ? "seal" : "seal done"}>
        {sealed === null ? (
          <>
            <strong>{words.notSealed}</strong> {open ? words.notSealedOpen : words.notSealedClosed}
          </>
        ) : (
          <>
            <strong>
              {words.sealed} <span aria-hidden="true">✓</span>
            </strong>{" "}
            {words.sealedWhy(dayTime(sealed.at))}
          </>
        )}
      </p>
      <Actions ticket={ticket} open={open} sealed={sealed !== null} />
      {hits !== null && <p class="muted">{words.hits(hits)}</p>}
    </header>
  );
}

function Actions({ ticket, open, sealed }: { ticket: number; open: boolean; sealed: boolean }) {
  const words = texts.transcript;
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");

  async function save(): Promise<void> {
    if (state === "busy") return;
    setState("busy");
    const saved = download(`${transcriptPath(ticket)}/export.json`, `transcript-${ticket}.json`);
    setState(await saved.then(() => "idle" as const, () => "failed" as const));
  }

  return (
    <div class="actions">
      <button onClick={save} aria-disabled={state === "busy"}>
        <DownloadIcon /> {state === "busy" ? words.downloading : sealed ? words.downloadProof : words.download}
      </button>
      <button onClick={() => print()}>
        <PrintIcon /> {words.print}
      </button>
      {open && (
        <a class="button" href={formatRoute({ page: "chat", ticket })}>
          {words.openChat}
        </a>
      )}
      <p class="wrong" role="alert">
        {state === "failed" && words.downloadFailed}
      </p>
    </div>
  );
}

/** Who read it, each once, the last first. */
function readBy(accesses: Transcript["accesses"]): string | undefined {
  const names = new Set((accesses ?? []).map(({ who }) => who).reverse());
  return names.size === 0 ? undefined : [...names].slice(0, 3).join(", ");
}

function span({ opened_at: from, closed_at: to }: Transcript): string {
  if (to === undefined) return texts.transcript.stillOpen(dayTime(from));
  return `${dayTime(from)} – ${sameDay(from, to) ? shortTime(to) : dayTime(to)}`;
}
