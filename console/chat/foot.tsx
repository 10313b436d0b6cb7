import { useDesk } from "../desk/context";
import { go } from "../navigate";
import { useCell } from "../cell";
import { formatRoute } from "../route";
import { texts } from "../texts";
import { lostByMe } from "./standing";

/** Under a chat that waits: it can be read before it is taken. */
export function Preview({ ticket }: { ticket: number }) {
  const desk = useDesk();
  const taking = useCell(desk.taking).has(ticket);
  return (
    <footer class="foot">
      <p>{lostByMe(desk.chats.get(ticket)) ? texts.chat.lost : texts.chat.preview}</p>
      <button class="primary" aria-disabled={taking || !desk.online} onClick={() => desk.take(ticket)}>
        {taking ? texts.lists.taking : texts.lists.take}
      </button>
    </footer>
  );
}

/** Under a chat that is closed. */
export function ReadOnly({ ticket }: { ticket: number }) {
  const desk = useDesk();
  const words = texts.chat;
  const reason = desk.chats.get(ticket)?.info?.close_reason;
  const kept = desk.lists.get().known.has(ticket);

  function done(): void {
    go({ page: "desk" });
    desk.select(null);
    desk.dismiss(ticket);
  }

  return (
    <footer class="foot">
      <p>{words.closedText(words.closedBy[reason ?? "other"])}</p>
      <a class="button" href={formatRoute({ page: "transcript", ticket, at: null, q: "" })}>
        {words.transcript}
      </a>
      {kept && <button onClick={done}>{words.done}</button>}
    </footer>
  );
}
