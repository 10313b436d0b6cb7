import { useEffect, useState } from "preact/hooks";
import { HttpError } from "../../client/http";
import type { Transcript } from "../../client/transcript";
import { BackIcon } from "../../client/ui/icons";
import { loadRestOf, loadTranscript } from "../calls";
import { Loading } from "../loading";
import { type ChatRoute, formatRoute } from "../route";
import { type Pass, problemOf, type Problem } from "../state";
import { problemText, texts } from "../texts";
import { TranscriptPage } from "../transcript_page";
import { openOwn } from "./calls";

export interface OwnTranscriptProps {
  token: string;
  route: ChatRoute;
  onBack: () => void;
  onEnded: () => void;
}

interface Opened {
  readonly pass: Pass;
  readonly transcript: Transcript;
}

/** One of the own chats, open at what was found in it. */
export function OwnTranscript({ token, route, onBack, onEnded }: OwnTranscriptProps) {
  const { ticket, at, words } = route;
  const [opened, setOpened] = useState<Opened | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [tries, setTries] = useState(0);

  useEffect(() => {
    const control = new AbortController();
    const { signal } = control;
    setProblem(null);
    load(signal).catch((error: unknown) => {
      if (signal.aborted) return;
      if (error instanceof HttpError && error.status === 401) onEnded();
      else setProblem(problemOf(error, false, Date.now()));
    });
    return () => control.abort();
  }, [ticket, tries]);

  async function load(signal: AbortSignal): Promise<void> {
    const first = opened === null ? await openOwn(ticket, token, signal) : { pass: opened.pass, transcript: await again(opened.pass, signal) };
    if (signal.aborted) return;
    document.title = texts.pageTitle(ticket, first.transcript.site_name);
    setOpened(first);
    await loadRestOf(first.pass, first.transcript, (transcript) => setOpened({ pass: first.pass, transcript }), signal);
  }

  /** A view is good for an hour; after that the chat is opened once more. */
  async function again(pass: Pass, signal: AbortSignal): Promise<Transcript> {
    try {
      return await loadTranscript(pass, signal);
    } catch (error) {
      if (error instanceof HttpError && error.status === 401) return (await openOwn(ticket, token, signal)).transcript;
      throw error;
    }
  }

  const back = (
    <button class="back" onClick={onBack}>
      <BackIcon />
      {texts.own.title}
    </button>
  );
  const retry = () => setTries(tries + 1);
  if (opened !== null) {
    return <TranscriptPage pass={opened.pass} transcript={opened.transcript} found={{ at, words }} back={back} problem={problem} onReload={retry} />;
  }
  if (problem === null) return <Loading />;
  return (
    <main class="paper">
      {back}
      <p class="wrong" role="alert">
        {problem.kind === "wrong" ? texts.own.missing : problem.kind === "wait" ? texts.own.slower : problemText(problem, Date.now())}{" "}
        {problem.kind === "wrong" ? <a href={`${formatRoute({ page: "code" })}&ticket=${ticket}`}>{texts.own.byCode}</a> : <RetryButton onClick={retry} />}
      </p>
    </main>
  );
}

function RetryButton({ onClick }: { onClick: () => void }) {
  return (
    <button class="plain" onClick={onClick}>
      {texts.retry}
    </button>
  );
}
