import { useEffect, useRef } from "preact/hooks";
import { texts } from "../texts";

/** Asks beside the chat, not over it: what comes in meanwhile can be read. */
export function CloseConfirm({ onYes, onNo }: { onYes: () => void; onNo: () => void }) {
  const words = texts.close;
  const yes = useRef<HTMLButtonElement>(null);
  useEffect(() => yes.current?.focus(), []);

  function escape(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.preventDefault();
    onNo();
  }

  return (
    <div class="confirm" role="group" aria-labelledby="close-question" onKeyDown={escape}>
      <p>
        <strong id="close-question">{words.question}</strong> {words.explain}
      </p>
      <button class="primary" ref={yes} onClick={onYes}>
        {words.yes}
      </button>
      <button onClick={onNo}>{words.no}</button>
    </div>
  );
}
