import { useEffect, useReducer, useRef } from "preact/hooks";
import { keepPass, keptPass, loadRestOf, loadTranscript, openTranscript } from "./calls";
import { Form } from "./form";
import { Loading } from "./loading";
import { inboxAfter, problemOf, startInbox, ticketOfFragment } from "./state";
import { formatRoute } from "./route";
import { texts } from "./texts";
import { TranscriptPage } from "./transcript_page";

export interface ByCodeProps {
  /** There is a list of one's own chats to go back to. */
  hasOwn: boolean;
  /** Why one is here. */
  told: string | null;
}

/** One transcript, by its ticket number and access code. */
export function ByCode({ hasOwn, told }: ByCodeProps) {
  const [inbox, happened] = useReducer(inboxAfter, null, () => startInbox(keptPass(), ticketOfFragment(location.hash)));
  const pass = inbox.page === "form" ? null : inbox.pass;
  const transcript = inbox.page === "transcript" ? inbox.transcript : null;
  const loading = useRef<AbortController | null>(null);

  useEffect(() => {
    if (inbox.page === "loading") void reload();
    return () => loading.current?.abort();
  }, []);

  useEffect(() => {
    keepPass(pass);
    document.title = transcript === null ? texts.formTitle : texts.pageTitle(transcript.ticket, transcript.site_name);
  }, [pass?.token, transcript?.ticket]);

  async function run(viewing: boolean, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    loading.current?.abort();
    const control = new AbortController();
    loading.current = control;
    try {
      await work(control.signal);
    } catch (error) {
      if (!control.signal.aborted) happened({ type: "failed", problem: problemOf(error, viewing, Date.now()) });
    }
  }

  async function open(ticket: string, code: string): Promise<void> {
    happened({ type: "asked", ticket });
    await run(false, async (signal) => {
      const opened = await openTranscript(ticket, code);
      if (signal.aborted) return;
      happened({ type: "opened", ...opened });
      await loadRestOf(opened.pass, opened.transcript, (more) => happened({ type: "loaded", transcript: more }), signal);
    });
  }

  async function reload(): Promise<void> {
    if (pass === null) return;
    await run(true, async (signal) => {
      const first = await loadTranscript(pass, signal);
      happened({ type: "loaded", transcript: first });
      await loadRestOf(pass, first, (more) => happened({ type: "loaded", transcript: more }), signal);
    });
  }

  function leave(): void {
    loading.current?.abort();
    history.replaceState(null, "", hasOwn ? formatRoute({ page: "code" }) : location.pathname);
    happened({ type: "left" });
  }

  switch (inbox.page) {
    case "form":
      return <Form ticket={inbox.ticket} busy={inbox.busy} problem={inbox.problem} hasOwn={hasOwn} told={told} onOpen={open} />;
    case "loading":
      return <Loading />;
    case "transcript":
      return <TranscriptPage pass={inbox.pass} transcript={inbox.transcript} problem={inbox.problem} onReload={reload} onLeave={leave} />;
  }
}
