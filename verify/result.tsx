import { TranscriptDocument } from "../client/document/transcript_document";
import { dayTime } from "../client/format";
import type { Entry } from "../client/protocol";
import type { Checked } from "./app";
import type { TranscriptFile } from "./seal/transcript_file";
import type { Problem } from "./seal/verify";
import { texts } from "./texts";

/** Beyond these, more findings tell nothing new. */
const MOST = 20;

/** What came out for one file, and what the file says. */
export function Result({ checked: { name, found } }: { checked: Checked }) {
  const { file, problems } = found;
  const [first, ...others] = problems;
  const state = first === undefined ? texts.verified : file === null ? texts.unreadable : texts.notVerified;
  return (
    <article class={first === undefined ? "result good" : "result bad"} aria-label={`${state}: ${name}`}>
      <header>
        <h2>
          <span aria-hidden="true">{first === undefined ? "✓" : "✗"}</span> {state}
        </h2>
        <p class="file">
          <bdi>{name}</bdi>
        </p>
        <p class="finding">{first === undefined ? texts.verifiedWhy : first.message}</p>
        {others.length > 0 && <Others problems={others} />}
        {file !== null && <Facts file={file} />}
      </header>
      {file !== null && (
        <>
          <p class="aside">{first === undefined ? texts.readHere : texts.notProved}</p>
          <TranscriptDocument entries={file.entries.map((entry) => shown(file, entry))} at={first?.seq ?? null} />
        </>
      )}
    </article>
  );
}

function Others({ problems }: { problems: readonly Problem[] }) {
  return (
    <details>
      <summary>{texts.others(problems.length)}</summary>
      <ul>
        {problems.slice(0, MOST).map(({ message }, place) => (
          <li key={place}>{message}</li>
        ))}
      </ul>
    </details>
  );
}

function Facts({ file }: { file: TranscriptFile }) {
  const erased = file.entries.filter((entry) => entry.erased).length;
  return (
    <ul class="facts">
      <li>{texts.ticket(file.ticket)}</li>
      <li>
        {texts.entries(file.entries.length)}
        {erased > 0 && `, ${texts.erased(erased)}`}
      </li>
      {file.audience === "staff" && <li>{texts.staff}</li>}
      {file.segments.map((segment) => (
        <li key={segment.number}>{texts.sealed(dayTime(segment.sealed_at), segment.key_id)}</li>
      ))}
    </ul>
  );
}

/** An entry of the file as the document shows entries. */
function shown({ ticket }: TranscriptFile, entry: TranscriptFile["entries"][number]): Entry {
  const { seq, at, kind, role, participant, audience, name, text, data, erased } = entry;
  const said = erased && (kind === "message" || kind === "note") ? texts.erasedText : (text ?? undefined);
  return { epoch: 0, prev: 0, entry_id: String(seq), ticket, seq, at, kind, role, participant, audience, name: name ?? undefined, text: said, data: data ?? {} } as unknown as Entry;
}
