import { unreadCount, typingNow, type ChatState } from "../../client/chat_state";
import { fullTime, formatTicket, relativeTime } from "../../client/format";
import type { ChatItem } from "../../client/protocol";
import { useDesk } from "../desk/context";
import { formatRoute } from "../route";
import { texts } from "../texts";

export interface MyRowProps {
  item: ChatItem;
  gone: boolean;
  now: number;
  selected: boolean;
}

export function MyRow({ item, gone, now, selected }: MyRowProps) {
  const desk = useDesk();
  const state = desk.chats.get(item.ticket);
  const who = item.name ?? texts.anonymous;
  const closed = desk.isClosed(item.ticket);
  const unread = state === undefined || closed ? 0 : unreadCount(state);
  const last = state === undefined ? undefined : lastMessage(state);
  const typing = state !== undefined && typingNow(state, Date.now()).length > 0;
  const draft = selected || closed ? "" : desk.drafts.of(item.ticket).message;
  const kind = ["row", selected ? "selected" : "", unread > 0 ? "unread" : "", closed || gone ? "gone" : ""].filter(Boolean).join(" ");
  return (
    <li class={kind}>
      <a class="row-link" href={formatRoute({ page: "chat", ticket: item.ticket })} aria-current={selected ? "true" : undefined}>
        <span class="row-who" dir="auto">
          {who}
        </span>
        {unread > 0 ? (
          <b class="count">{texts.unread(unread)}</b>
        ) : (
          last !== undefined && (
            <time class="row-time" dateTime={new Date(last.at).toISOString()} title={fullTime(last.at)}>
              {closed ? texts.chat.states.closed : relativeTime(last.at, now)}
            </time>
          )
        )}
        <span class="row-about" dir="auto">
          {[item.topic ?? texts.noTopic, item.order ?? formatTicket(item.ticket)].join(" · ")}
        </span>
        <span class="row-preview" dir="auto">
          {typing ? texts.chat.typing(who) : draft !== "" ? texts.lists.draft(draft) : (last?.text ?? item.preview)}
        </span>
      </a>
    </li>
  );
}

function lastMessage(state: ChatState) {
  return state.log.findLast((entry) => entry.kind === "message");
}
