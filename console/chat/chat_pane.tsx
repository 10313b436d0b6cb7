import { useEffect, useRef, useState } from "preact/hooks";
import { useDesk } from "../desk/context";
import { go } from "../navigate";
import { formatRoute } from "../route";
import { Skeleton } from "../skeleton";
import { texts } from "../texts";
import { ChatHeader } from "./chat_header";
import { CloseConfirm } from "./close_confirm";
import { Composer } from "./composer";
import { Entries } from "./entries";
import { Preview, ReadOnly } from "./foot";
import { type Standing, standingOf } from "./standing";

export interface ChatPaneProps {
  ticket: number;
  /** Filled by this pane: what `Alt E` does. */
  closeAsked: { current: () => void };
  details: boolean;
  onDetails: () => void;
}

export function ChatPane({ ticket, closeAsked, details, onDetails }: ChatPaneProps) {
  const desk = useDesk();
  const state = desk.chats.get(ticket);
  const [asking, setAsking] = useState(false);
  const unreadAfter = useRef<number | undefined>(undefined);
  const box = useRef<HTMLTextAreaElement>(null);
  const standing = state?.info === undefined ? null : standingOf(state.info, desk.isMine(ticket));

  // The line above what is new stands where it stood when we came.
  if (unreadAfter.current === undefined && state?.info !== undefined) unreadAfter.current = state.reads[state.info.me] ?? 0;

  useEffect(() => {
    closeAsked.current = () => standing === "mine" && setAsking(true);
    return () => {
      closeAsked.current = () => {};
    };
  }, [standing]);
  useEffect(() => {
    if (standing === "mine") box.current?.focus();
    else setAsking(false);
    // What had the focus is gone (the list on a phone, the box of a chat that was closed): go on reading from here.
    if (standing !== null && document.activeElement === document.body) document.querySelector<HTMLElement>(".entries")?.focus();
  }, [standing]);

  function escape(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    go({ page: "desk" });
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`.lists a[href="${formatRoute({ page: "chat", ticket })}"]`)?.focus());
  }

  if (desk.chats.isGone(ticket)) return <p class="nothing">{texts.chat.missing}</p>;
  if (state?.info === undefined || standing === null) return <Skeleton kind="chat" shape="chat-skeleton" told={texts.chat.loading} />;
  return (
    <div class="chat" onKeyDown={escape}>
      <ChatHeader
        ticket={ticket} info={state.info} standing={standing} details={details} onDetails={onDetails}
        onClose={() => setAsking(true)}
      />
      <Entries key={ticket} state={state} unreadAfter={standing === "mine" ? unreadAfter.current : undefined} />
      {asking && (
        <CloseConfirm
          onYes={() => {
            desk.close(ticket);
            setAsking(false);
          }}
          onNo={() => {
            setAsking(false);
            box.current?.focus();
          }}
        />
      )}
      <Foot standing={standing} ticket={ticket} box={box} />
    </div>
  );
}

function Foot({ standing, ticket, box }: { standing: Standing; ticket: number; box: { current: HTMLTextAreaElement | null } }) {
  switch (standing) {
    case "queued":
      return <Preview ticket={ticket} />;
    case "closed":
      return <ReadOnly ticket={ticket} />;
    case "mine":
    case "other":
      return <Composer ticket={ticket} box={box} onlyNotes={standing === "other"} />;
  }
}
