import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hitsOfWords } from "../../client/document/hits";
import { TranscriptDocument } from "../../client/document/transcript_document";
import { HttpError } from "../../client/http";
import { loadRest, type Transcript } from "../../client/transcript";
import { BackIcon } from "../../client/ui/icons";
import { go } from "../navigate";
import { Skeleton } from "../skeleton";
import { texts } from "../texts";
import { getTranscript, transcriptPath } from "./calls";
import { TranscriptHead } from "./transcript_head";

export interface TranscriptPaneProps {
  ticket: number;
  /** The entry that the search found. */
  at: number | null;
  /** The words that it was found by. */
  words: string;
}

type Problem = "missing" | "failed";

export function TranscriptPane({ ticket, at, words }: TranscriptPaneProps) {
  const told = texts.transcript;
  const [transcript, setTranscript] = useState<Transcript | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [tries, setTries] = useState(0);
  const paper = useRef<HTMLDivElement>(null);
  const led = useRef(false);
  const hits = useMemo(() => hitsOfWords(transcript?.entries ?? [], words.split(/\s+/).filter(Boolean)), [transcript, words]);

  useEffect(() => {
    const control = new AbortController();
    setProblem(null);
    load(ticket, control.signal, setTranscript).catch((error: unknown) => {
      if (!control.signal.aborted) setProblem(error instanceof HttpError && error.status === 404 ? "missing" : "failed");
    });
    return () => control.abort();
  }, [ticket, tries]);
  useEffect(() => {
    if (led.current || transcript === null) return;
    const entry = at === null ? null : paper.current?.querySelector(`[data-seq="${at}"]`);
    if (entry) entry.scrollIntoView({ block: "center" });
    // The entry may be on a page that is still to come.
    // On a phone the list of results has gone, and the focus with it.
    if (document.activeElement === document.body) paper.current?.focus({ preventScroll: true });
    led.current = Boolean(entry) || !transcript.more;
  }, [transcript, at]);

  const retry = (
    <button class="plain" onClick={() => setTries(tries + 1)}>
      {texts.retry}
    </button>
  );
  return (
    <div class="reading" ref={paper} tabIndex={0} role="region" aria-label={texts.transcript.title(ticket)}>
      <button class="icon-button back" aria-label={told.back} title={told.back} onClick={() => (history.length > 1 ? history.back() : go({ page: "search", q: "" }))}>
        <BackIcon />
      </button>
      {transcript === null ? (
        problem === null ? (
          <Skeleton kind="reading-paper" told={texts.transcript.loading} />
        ) : (
          <p class="nothing" role="alert">
            {problem === "missing" ? told.missing : told.failed} {problem === "failed" && retry}
          </p>
        )
      ) : (
        <article class="reading-paper">
          <TranscriptHead transcript={transcript} hits={words === "" ? null : hits.total} />
          <TranscriptDocument entries={transcript.entries} hits={hits} at={at} />
          {problem !== null && (
            <p class="wrong" role="alert">
              {told.rest} {retry}
            </p>
          )}
        </article>
      )}
    </div>
  );
}

async function load(ticket: number, signal: AbortSignal, show: (transcript: Transcript) => void): Promise<void> {
  const first = await getTranscript(ticket, signal);
  if (signal.aborted) return;
  show(first);
  await loadRest(transcriptPath(ticket), first, show, { signal });
}
