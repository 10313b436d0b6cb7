/** A transcript as a document: days, speeches with their times, and the changes between them. */

import { useMemo } from "preact/hooks";
import { fullTime, longDay, shortTime } from "../format";
import type { Entry } from "../protocol";
import { EntryText } from "./entry_text";
import { groupByDay, type Passage } from "./groups";
import { type HitPlace, type Hits, NO_HITS } from "./hits";
import { documentTexts as texts } from "./texts";

export interface TranscriptDocumentProps {
  entries: readonly Entry[];
  hits?: Hits;
  current?: HitPlace | null;
  /** The entry that a search led to. */
  at?: number | null;
}

export function TranscriptDocument({ entries, hits = NO_HITS, current = null, at = null }: TranscriptDocumentProps) {
  const days = useMemo(() => groupByDay(entries), [entries]);
  return (
    <div class="document">
      {days.map((day) => (
        <section key={day.key} class="document-day" aria-label={longDay(day.at)}>
          <h2 class="document-date">{longDay(day.at)}</h2>
          <ol class="document-entries">
            {day.passages.map((passage) => (
              <PassageRow key={passage.key} passage={passage} hits={hits} current={current} at={at} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

type PassageRowProps = { passage: Passage } & Required<Omit<TranscriptDocumentProps, "entries">>;

function PassageRow({ passage, hits, current, at }: PassageRowProps) {
  if (passage.kind === "change") {
    return (
      <li class="document-change" data-seq={passage.entry.seq}>
        <EntryTime at={passage.entry.at} />
        <p>
          <EntryText text={passage.text} />
        </p>
      </li>
    );
  }
  const { first, note, entries } = passage;
  return (
    <li class={note ? "document-speech note" : `document-speech ${first.role}`}>
      <p class="document-who">
        <strong dir="auto">{first.name ?? texts.unnamed[first.role]}</strong>
        {first.name !== undefined && first.name !== texts.roles[first.role] && <span>{texts.roles[first.role]}</span>}
        {note && <span class="document-note">{texts.note}</span>}
      </p>
      {entries.map((entry) => (
        <div key={entry.seq} class={entry.seq === at ? "document-entry at" : "document-entry"} data-seq={entry.seq}>
          <EntryTime at={entry.at} />
          <p dir="auto">
            <EntryText text={entry.text ?? texts.erased} hits={hits.places.get(entry.seq)} current={current?.seq === entry.seq ? current.index : -1} />
          </p>
        </div>
      ))}
    </li>
  );
}

function EntryTime({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {shortTime(at)}
    </time>
  );
}
