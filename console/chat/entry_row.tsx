import { type ChatState, statusOf } from "../../client/chat_state";
import { changeText, documentTexts } from "../../client/document/texts";
import { dayLabel, fullTime, longDay, shortTime } from "../../client/format";
import type { MessageRow, Row } from "../../client/timeline";
import { MessageText, Ticks } from "../../client/ui/chat";
import type { Desk } from "../desk/desk";
import { texts } from "../texts";

export interface EntryRowProps {
  row: Row;
  state: ChatState;
  desk: Desk;
}

export function EntryRow({ row, state, desk }: EntryRowProps) {
  switch (row.type) {
    case "day":
      return (
        <p class="day" title={longDay(row.at)}>
          <span>{dayLabel(row.at)}</span>
        </p>
      );
    case "unread":
      return (
        <p class="new-mark">
          <span>{texts.chat.newMark}</span>
        </p>
      );
    case "change": {
      const text = changeText(row.entry);
      return text === null ? null : (
        <p class="change" title={fullTime(row.entry.at)}>
          {text} · {shortTime(row.entry.at)}
        </p>
      );
    }
    case "message":
      return <Message row={row} state={state} desk={desk} />;
  }
}

function Message({ row, state, desk }: { row: MessageRow; state: ChatState; desk: Desk }) {
  const { item, own, note } = row;
  const staff = own || ("role" in item && item.role !== "customer");
  const status = own ? statusOf(state, item) : null;
  const kind = ["message", staff ? "staff" : "customer", note ? "note" : "", row.first ? "first" : "", row.last ? "last" : ""].filter(Boolean).join(" ");
  return (
    <div class={kind}>
      {row.first && (
        <p class="message-who">
          <bdi>{who(row, state)}</bdi>
          {note && <span> · {documentTexts.note}</span>}
        </p>
      )}
      <p class="bubble" dir="auto">
        <MessageText text={item.text ?? documentTexts.erased} why={documentTexts.masked} />
      </p>
      {status === "failed" ? (
        <Failed row={row} state={state} desk={desk} />
      ) : (
        row.last && (
          <p class="message-when">
            <time dateTime={new Date(item.at).toISOString()} title={fullTime(item.at)}>
              {shortTime(item.at)}
            </time>
            {status !== null && !note && <Ticks status={status} label={texts.chat.status[status]} />}
          </p>
        )
      )}
    </div>
  );
}

function Failed({ row: { item }, state, desk }: { row: MessageRow; state: ChatState; desk: Desk }) {
  const words = texts.chat;
  const key = item.key;
  if (key === undefined) return null;
  const why = "code" in item && item.code !== undefined ? words.failedWhy[item.code] : undefined;
  return (
    <p class="message-failed" role="alert">
      <span>
        {words.failed} {why}
      </span>
      <span>
        <button class="plain" onClick={() => desk.resend(state.ticket, key)}>
          {words.resend}
        </button>
        <button class="plain" onClick={() => desk.chats.discard(state.ticket, key)}>
          {words.discard}
        </button>
      </span>
    </p>
  );
}

function who({ item, own }: MessageRow, state: ChatState): string {
  if (own) return texts.chat.you;
  if (!("participant" in item)) return texts.chat.you;
  if (item.name !== undefined) return item.name;
  return item.role === "customer" ? (state.info?.customer_name ?? texts.anonymous) : documentTexts.unnamed[item.role];
}
