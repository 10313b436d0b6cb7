import { useEffect, useRef, useState } from "preact/hooks";
import { unreadCount } from "../../client/chat_state";
import { useCell } from "../cell";
import { ChatPane } from "../chat/chat_pane";
import { CustomerPane } from "../customer/customer_pane";
import { KeysDialog } from "../keys/keys_dialog";
import { useKeys } from "../keys/use_keys";
import { closedItems, myItems, waitingCount, waitingItems } from "../lists/lists";
import { ListsPane } from "../lists/lists_pane";
import { go, useRoute } from "../navigate";
import { SearchPane } from "../search/search_pane";
import { TranscriptPane } from "../search/transcript_pane";
import { texts } from "../texts";
import { Connection, Notice } from "./banners";
import { useDesk } from "./context";
import { Rail } from "./rail";

export interface DeskViewProps {
  onSignOut: () => void;
  onEnded: () => void;
}

export function DeskView({ onSignOut, onEnded }: DeskViewProps) {
  const desk = useDesk();
  const route = useRoute();
  const lists = useCell(desk.lists);
  const said = useCell(desk.said);
  useCell(desk.turn);
  const [keys, setKeys] = useState(false);
  const [details, setDetails] = useState(false);
  const closeAsked = useRef<() => void>(() => {});
  const { status } = desk.chats;
  const ticket = route.page === "chat" ? route.ticket : null;
  const searching = route.page === "search" || route.page === "transcript";

  useEffect(() => {
    setDetails(false);
    desk.select(ticket);
  }, [ticket]);
  useEffect(() => {
    if (status.phase === "stopped" && (status.code === 401 || status.code === 4401)) onEnded();
  }, [status]);

  const mine = myItems(lists);
  const unread = mine.reduce((sum, item) => sum + unreadOf(item.ticket), 0);
  const waiting = waitingCount(lists);
  useEffect(() => {
    document.title = texts.pageTitle(waiting, unread);
  }, [waiting, unread]);

  function unreadOf(number: number): number {
    const state = desk.chats.get(number);
    return state === undefined ? 0 : unreadCount(state);
  }

  async function takeOldest(): Promise<void> {
    const oldest = waitingItems(lists).find((item) => !desk.taking.get().has(item.ticket));
    if (oldest === undefined) desk.tell(texts.take.none);
    else if (await desk.take(oldest.ticket)) go({ page: "chat", ticket: oldest.ticket });
  }

  function step(by: number): void {
    const all = [...mine, ...closedItems(lists, (one) => desk.isClosed(one))];
    if (all.length === 0) return;
    const at = all.findIndex((item) => item.ticket === ticket);
    const next = all[at === -1 ? 0 : (at + by + all.length) % all.length];
    if (next !== undefined) go({ page: "chat", ticket: next.ticket });
  }

  useKeys({
    take_oldest: takeOldest,
    next: () => step(1),
    previous: () => step(-1),
    note: () => ticket !== null && desk.drafts.setNote(ticket, !desk.drafts.of(ticket).note),
    close: () => closeAsked.current(),
    search: () => (route.page === "search" ? document.getElementById("search-box")?.focus() : go({ page: "search", q: "" })),
    keys: () => setKeys(true),
  });

  return (
    <div class={details ? "desk with-details" : "desk"} data-page={route.page}>
      <Rail searching={searching} waiting={waiting} unread={unread} onKeys={() => setKeys(true)} onSignOut={onSignOut} name={desk.agent.name} />
      <main class="desk-work">
        {searching ? <SearchPane route={route} /> : <ListsPane selected={ticket} />}
        <div class="desk-main">
          {route.page === "transcript" ? (
            <TranscriptPane key={route.ticket} ticket={route.ticket} at={route.at} words={route.q} />
          ) : ticket !== null ? (
            <ChatPane key={ticket} ticket={ticket} closeAsked={closeAsked} onDetails={() => setDetails(!details)} details={details} />
          ) : (
            <Nothing searching={searching} waiting={waiting} />
          )}
        </div>
      </main>
      {ticket !== null && <CustomerPane key={ticket} ticket={ticket} onClose={() => setDetails(false)} />}
      <div class="desk-state">
        <Connection status={desk.chats.shownStatus} onNow={() => desk.chats.socket.wake()} />
      </div>
      <Notice />
      <KeysDialog open={keys} onClose={() => setKeys(false)} />
      <div class="visually-hidden" aria-live="polite">
        {said}
      </div>
    </div>
  );
}

function Nothing({ searching, waiting }: { searching: boolean; waiting: number }) {
  if (searching) return <p class="nothing">{texts.search.choose}</p>;
  return (
    <div class="nothing">
      <p>{waiting > 0 ? texts.chat.noneWaiting(waiting) : texts.chat.none}</p>
      {waiting > 0 && (
        <p>
          <kbd>Alt A</kbd> {texts.chat.noneKey}
        </p>
      )}
    </div>
  );
}
