import { useEffect, useLayoutEffect } from "preact/hooks";
import { SendIcon } from "../../client/ui/icons";
import { useCell } from "../cell";
import { useDesk } from "../desk/context";
import { textOf } from "../desk/drafts";
import { texts } from "../texts";

export interface ComposerProps {
  ticket: number;
  box: { current: HTMLTextAreaElement | null };
  /** Another agent owns the chat. */
  onlyNotes: boolean;
}

/** From here on we say how many characters are left. */
const NEAR_LIMIT = 200;

export function Composer({ ticket, box, onlyNotes }: ComposerProps) {
  const words = texts.composer;
  const desk = useDesk();
  useCell(desk.drafts.all);
  const draft = desk.drafts.of(ticket);
  const note = draft.note || onlyNotes;
  const text = textOf({ ...draft, note });
  const left = desk.chats.socket.limits.text_chars - [...text].length;
  const { full } = desk.chats;
  const sendable = text.trim() !== "" && left >= 0 && !full;

  useEffect(() => {
    if (onlyNotes && !draft.note) desk.drafts.setNote(ticket, true);
  }, [onlyNotes, ticket]);
  useLayoutEffect(() => {
    const area = box.current;
    if (area === null) return;
    // Grows with its text up to what the stylesheet allows.
    area.rows = Math.min(8, Math.max(2, text.split("\n").length));
  }, [text]);

  function write(event: Event): void {
    const { value } = event.currentTarget as HTMLTextAreaElement;
    desk.drafts.write(ticket, value);
    if (!note && value !== "") desk.chats.socket.typing(ticket);
  }

  function send(): void {
    if (!sendable) return;
    desk.post(ticket, text.trim(), note);
    desk.drafts.write(ticket, "");
    box.current?.focus();
  }

  function press(event: KeyboardEvent): void {
    // Enter that ends an input method's word does not send.
    if (event.key !== "Enter" || event.shiftKey || event.altKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  }

  function choose(asNote: boolean): void {
    desk.drafts.setNote(ticket, asNote);
    box.current?.focus();
  }

  return (
    <form
      class={note ? "composer note" : "composer"}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-mode" role="group" aria-label={words.mode}>
        {!onlyNotes && (
          <button type="button" aria-pressed={!note} onClick={() => choose(false)}>
            {words.message}
          </button>
        )}
        <button type="button" aria-pressed={note} onClick={() => choose(true)} title={`${words.note} (Alt N)`}>
          {words.note}
        </button>
        <span>{onlyNotes ? texts.chat.others(desk.chats.get(ticket)?.info?.owner?.name ?? "") : note && texts.chat.onlyAgents}</span>
      </div>
      <textarea
        ref={box} value={text} onInput={write} onKeyDown={press} dir="auto" rows={2} enterkeyhint="send"
        aria-label={note ? words.noteLabel : words.messageLabel} placeholder={note ? words.noteLabel : words.messageLabel}
        title={words.hint} aria-invalid={left < 0}
      />
      <div class="composer-send">
        <span role="status" class={left < 0 || full ? "wrong" : ""}>
          {full ? words.full : left < 0 ? words.tooLong(-left) : left < NEAR_LIMIT ? words.left(left) : ""}
        </span>
        <button class="primary" aria-disabled={!sendable}>
          <SendIcon />
          {note ? words.addNote : words.send}
        </button>
      </div>
    </form>
  );
}
