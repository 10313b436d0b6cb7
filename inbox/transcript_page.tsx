import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hitsOf, hitsOfWords, placeOf } from "../client/document/hits";
import { TranscriptDocument } from "../client/document/transcript_document";
import type { Transcript } from "../client/transcript";
import { downloadAs, type Form } from "./calls";
import { Accesses, Facts, Seal, Zone } from "./facts";
import { FindBar } from "./find_bar";
import type { Pass, Problem } from "./state";
import { problemText, texts } from "./texts";

export interface TranscriptPageProps {
  pass: Pass;
  transcript: Transcript;
  problem: Problem | null;
  /** What a search led to: an entry, and the words that it was found by. */
  found?: Found;
  /** The way back to the list. */
  back?: ComponentChildren;
  onReload: () => void;
  onLeave?: () => void;
}

export interface Found {
  readonly at: number | null;
  readonly words: string;
}

const NOT_SEARCHED: Found = { at: null, words: "" };

export function TranscriptPage({ pass, transcript, problem, found = NOT_SEARCHED, back, onReload, onLeave }: TranscriptPageProps) {
  const [query, setQuery] = useState("");
  // Until somebody looks for something else here, the words of the search are marked.
  const [number, setNumber] = useState<number | null>(found.words === "" ? 0 : null);
  const heading = useRef<HTMLHeadingElement>(null);
  const paper = useRef<HTMLElement>(null);
  const led = useRef(false);
  const words = query.trim() === "" ? found.words : "";
  const hits = useMemo(
    () => (words === "" ? hitsOf(transcript.entries, query) : hitsOfWords(transcript.entries, words.split(" "))),
    [transcript.entries, query, words],
  );
  const current = number === null ? null : placeOf(hits, number);

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    if (led.current || found.at === null) return;
    const entry = paper.current?.querySelector<HTMLElement>(`[data-seq="${found.at}"]`);
    if (entry) {
      // Reading goes on there, for the eyes and for a screen reader.
      entry.tabIndex = -1;
      entry.focus({ preventScroll: true });
      entry.scrollIntoView({ block: "center" });
    }
    // The entry may be on a page that is still to come.
    led.current = Boolean(entry) || !transcript.more;
  }, [transcript, found.at]);
  useEffect(() => {
    if (current !== null) paper.current?.querySelector("mark.current")?.scrollIntoView({ block: "center" });
  }, [current?.seq, current?.index, query]);

  function find(text: string): void {
    setQuery(text);
    setNumber(text.trim() === "" && found.words !== "" ? null : 0);
  }

  return (
    <main class="paper" ref={paper}>
      {back}
      <header class="paper-head">
        <p class="paper-site">
          <bdi>{transcript.site_name}</bdi>
        </p>
        <h1 ref={heading} tabIndex={-1}>
          {texts.title(transcript.ticket)}
        </h1>
        <p class="paper-topic">
          <bdi>{transcript.topic ?? texts.noTopic}</bdi>
        </p>
        <Facts transcript={transcript} />
        <Seal transcript={transcript} onReload={onReload} />
      </header>

      <Actions pass={pass} onLeave={onLeave} />
      <FindBar query={query} total={hits.total} number={number} onQuery={find} onNumber={setNumber} />

      {transcript.entries.length === 0 ? <p class="paper-empty">{texts.empty}</p> : <TranscriptDocument entries={transcript.entries} hits={hits} current={current} at={found.at} />}
      <div class="paper-end" aria-live="polite">
        {problem !== null ? (
          <p class="wrong">
            {texts.problemRest} {problemText(problem, Date.now())}{" "}
            <button class="plain" onClick={onReload}>
              {texts.retry}
            </button>
          </p>
        ) : (
          transcript.more && <p>{texts.loadingMore}</p>
        )}
      </div>
      <Accesses accesses={transcript.accesses ?? []} />
      <Zone />
    </main>
  );
}

function Actions({ pass, onLeave }: { pass: Pass; onLeave: (() => void) | undefined }) {
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");

  const [form, setForm] = useState<Form>("html");

  async function save(): Promise<void> {
    setState("busy");
    setState(await downloadAs(pass, form).then(() => "idle" as const, () => "failed" as const));
  }

  return (
    <div class="actions">
      <button onClick={() => print()}>{texts.print}</button>
      <span class="download">
        <select aria-label={texts.format} value={form} onChange={({ currentTarget }) => setForm(currentTarget.value as Form)}>
          {Object.entries(texts.formats).map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
        <button onClick={save} aria-disabled={state === "busy"}>
          {state === "busy" ? texts.downloading : texts.download}
        </button>
      </span>
      <a href="/verify" target="_blank" rel="noopener">
        {texts.verify}
      </a>
      {onLeave !== undefined && <button onClick={onLeave}>{texts.leave}</button>}
      <p role="alert" class="wrong">
        {state === "failed" && texts.downloadFailed}
      </p>
    </div>
  );
}
