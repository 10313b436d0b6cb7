import { useEffect, useRef, useState } from "preact/hooks";
import { formatRoute } from "./route";
import type { Problem } from "./state";
import { problemText, texts } from "./texts";

export interface FormProps {
  ticket: string;
  busy: boolean;
  problem: Problem | null;
  hasOwn: boolean;
  told: string | null;
  onOpen: (ticket: string, code: string) => void;
}

type Field = "ticket" | "code";

export function Form({ ticket: first, busy, problem, hasOwn, told: before, onOpen }: FormProps) {
  const [ticket, setTicket] = useState(first);
  const [code, setCode] = useState("");
  const [missing, setMissing] = useState<Field | null>(null);
  const ticketField = useRef<HTMLInputElement>(null);
  const codeField = useRef<HTMLInputElement>(null);
  const now = useNowWhile(problem?.kind === "wait");

  useEffect(() => (first === "" ? ticketField : codeField).current?.focus(), []);
  useEffect(() => {
    // The code is what is mistyped most often: it is ready to be typed over.
    if (problem?.kind === "wrong") codeField.current?.select();
  }, [problem]);

  function submit(event: Event): void {
    event.preventDefault();
    if (busy) return;
    const lacks: Field | null = ticket.trim() === "" ? "ticket" : code.trim() === "" ? "code" : null;
    setMissing(lacks);
    if (lacks === null) onOpen(ticket, code);
    else (lacks === "ticket" ? ticketField : codeField).current?.focus();
  }

  const told = missing === null && problem !== null && !(problem.kind === "wait" && problem.until <= now) ? problemText(problem, now) : null;
  return (
    <main class="gate">
      <form class="gate-card" onSubmit={submit} noValidate aria-labelledby="gate-title">
        {before !== null && (
          <p class="gate-before" role="status">
            {before}
          </p>
        )}
        <h1 id="gate-title">{texts.form.title}</h1>
        <p class="gate-intro">{texts.form.intro}</p>
        <div class="field">
          <label for="ticket">{texts.form.ticket}</label>
          <input
            id="ticket" ref={ticketField} value={ticket} onInput={(event) => setTicket(event.currentTarget.value)} inputMode="numeric"
            autocomplete="off" enterkeyhint="next" maxLength={40} aria-describedby="ticket-hint" aria-invalid={missing === "ticket"}
          />
          <small id="ticket-hint" class={missing === "ticket" ? "wrong" : ""}>
            {missing === "ticket" ? texts.form.ticketMissing : texts.form.ticketHint}
          </small>
        </div>
        <div class="field">
          <label for="code">{texts.form.code}</label>
          <input
            id="code" ref={codeField} class="code" value={code} onInput={(event) => setCode(event.currentTarget.value)} autocomplete="off"
            autocapitalize="characters" autocorrect="off" spellcheck={false} enterkeyhint="go" maxLength={40} dir="ltr"
            aria-describedby="code-hint" aria-invalid={missing === "code"}
          />
          <small id="code-hint" class={missing === "code" ? "wrong" : ""}>
            {missing === "code" ? texts.form.codeMissing : texts.form.codeHint}
          </small>
        </div>
        <p class={problem?.kind === "expired" ? "gate-told" : "gate-told wrong"} role="alert">
          {told}
        </p>
        <button class="primary" aria-disabled={busy}>
          {busy ? texts.form.opening : texts.form.open}
        </button>
        <p class="gate-lost">
          {texts.form.lost} {hasOwn ? <a href={formatRoute({ page: "list", q: "" })}>{texts.form.own}</a> : texts.form.ownFromChat}
        </p>
      </form>
    </main>
  );
}

/** The present time, anew each second while somebody waits for it. */
function useNowWhile(waiting: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!waiting) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [waiting]);
  return now;
}
