import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hitsOf, placeOf } from "../client/document/hits";
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
  onReload: () => void;
  onLeave: () => void;
}

export function TranscriptPage({ pass, transcript, problem, onReload, onLeave }: TranscriptPageProps) {
  const [query, setQuery] = useState("");
  const [number, setNumber] = useState(0);
  const heading = useRef<HTMLHeadingElement>(null);
  const paper = useRef<HTMLElement>(null);
  const hits = useMemo(() => hitsOf(transcript.entries, query), [transcript.entries, query]);
  const current = placeOf(hits, number);

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    if (current !== null) paper.current?.querySelector("mark.current")?.scrollIntoView({ block: "center" });
  }, [current?.seq, current?.index, query]);

  function find(text: string): void {
    setQuery(text);
    setNumber(0);
  }

  return (
    <main class="paper" ref={paper}>
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

      {transcript.entries.length === 0 ? <p class="paper-empty">{texts.empty}</p> : <TranscriptDocument entries={transcript.entries} hits={hits} current={current} />}
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

function Actions({ pass, onLeave }: { pass: Pass; onLeave: () => void }) {
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
      <button onClick={onLeave}>{texts.leave}</button>
      <p role="alert" class="wrong">
        {state === "failed" && texts.downloadFailed}
      </p>
    </div>
  );
}
