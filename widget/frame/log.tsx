/** What was said. Stays at the newest line unless somebody scrolled up; then it says that there is more. */

import { Component, type ComponentChildren, createRef } from "preact";
import { type ChatState, type LogEntry, statusOf, typingNow } from "../../client/chat_state";
import { dayLabel, fullTime, shortTime } from "../../client/format";
import { type MessageRow, type Row, timeline } from "../../client/timeline";
import { MessageText, Ticks } from "../../client/ui/chat";
import { DownIcon } from "../../client/ui/icons";
import type { Room } from "./room";
import { texts } from "./texts";

interface Props {
  room: Room;
  chat: ChatState;
  children?: ComponentChildren;
}

/** As near to the end counts as the end. */
const NEAR_PX = 40;

export class Log extends Component<Props, { away: boolean; more: boolean }> {
  override state = { away: false, more: false };
  private box = createRef<HTMLDivElement>();
  private count = 0;
  private height = 0;
  private timer?: ReturnType<typeof setTimeout>;
  private readonly sizes = new ResizeObserver(() => this.follow());

  override componentDidMount() {
    if (this.box.current) this.sizes.observe(this.box.current);
    document.addEventListener("visibilitychange", this.follow);
    this.componentDidUpdate();
  }

  override componentWillUnmount() {
    this.sizes.disconnect();
    document.removeEventListener("visibilitychange", this.follow);
    clearTimeout(this.timer);
  }

  override componentDidUpdate() {
    const { chat } = this.props;
    const count = chat.log.length + chat.pending.length;
    if (count !== this.count) {
      const own = chat.pending.length > 0;
      this.count = count;
      if (this.state.away && own) this.jump();
      else if (this.state.away && !this.state.more) this.setState({ more: true });
    }
    this.follow();
    clearTimeout(this.timer);
    if (Object.keys(chat.typing).length) this.timer = setTimeout(() => this.setState({}), 6_000);
  }

  private readonly follow = () => {
    const box = this.box.current;
    if (!box || this.state.away) return;
    box.scrollTop = box.scrollHeight;
    this.height = box.clientHeight;
    this.props.room.seen();
  };

  private readonly onScroll = () => {
    const box = this.box.current;
    if (!box) return;
    const away = box.scrollHeight - box.scrollTop - box.clientHeight > NEAR_PX;
    // Another height (the composer grew) moved it, nobody scrolled: `follow` is on its way.
    const resized = box.clientHeight !== this.height;
    this.height = box.clientHeight;
    if (away === this.state.away || (away && resized)) return;
    this.setState({ away, more: false });
    if (!away) this.props.room.seen();
  };

  private readonly jump = () => {
    this.setState({ away: false, more: false }, this.follow);
    this.props.room.focus();
  };

  render({ room, chat, children }: Props, { away, more }: { away: boolean; more: boolean }) {
    const typing = typingNow(chat, Date.now());
    return (
      <div class="log-box">
        <div class="log" ref={this.box} role="log" aria-label={texts.log} tabIndex={0} onScroll={this.onScroll}>
          {children}
          {timeline(chat, room.unreadAfter).map((row) => (
            <RowView key={row.key} row={row} chat={chat} room={room} />
          ))}
          <p class="typing" aria-live="off">
            {typing[0] && (
              <>
                {texts.typing(typing[0].name ?? texts.agent)}
                <i aria-hidden="true" />
              </>
            )}
          </p>
        </div>
        {away && (
          <button type="button" class="jump" onClick={this.jump}>
            <DownIcon />
            {more ? texts.jumpUnread : texts.jump}
          </button>
        )}
      </div>
    );
  }
}

function RowView({ row, chat, room }: { row: Row; chat: ChatState; room: Room }) {
  switch (row.type) {
    case "day":
      return <p class="change day">{dayLabel(row.at)}</p>;
    case "unread":
      return <p class="change unread">{texts.unread}</p>;
    case "change":
      return <p class="change">{changeText(row.entry)}</p>;
    case "message":
      return <Message row={row} chat={chat} room={room} />;
  }
}

function changeText(entry: LogEntry): string {
  switch (entry.kind) {
    case "opened":
      return texts.opened(entry.data?.topic);
    case "assigned":
      return texts.joined(entry.data.name);
    case "released":
      return texts.released(entry.name ?? texts.agent);
    case "closed":
      return entry.data?.reason === "customer" ? texts.closedByCustomer : entry.name ? texts.closedBy(entry.name) : texts.closed;
    case "rated":
      return entry.data ? texts.rated(entry.data.rating) : "";
    default:
      return "";
  }
}

function Message({ row, chat, room }: { row: MessageRow; chat: ChatState; room: Room }) {
  const { item, own, first, last } = row;
  const status = own ? statusOf(chat, item) : undefined;
  const failed = status === "failed";
  const name = own ? texts.you : ("name" in item && item.name) || texts.agent;
  return (
    <div class={`message ${own ? "own" : "other"}${first ? " first" : ""}${failed ? " failed" : ""}`}>
      <p class={first && !own ? "who" : "visually-hidden"}>{name}</p>
      <p class="bubble" dir="auto">
        <MessageText text={item.text ?? texts.erased} why={texts.masked} />
      </p>
      {failed ? (
        <p class="meta wrong">
          {failure("code" in item ? item.code : undefined)}
          {("code" in item && item.code) !== "chat_closed" && (
            <button type="button" class="link" onClick={() => room.retry(row.key)}>
              {texts.again}
            </button>
          )}
          <button type="button" class="link" onClick={() => room.discard(row.key)}>
            {texts.discard}
          </button>
        </p>
      ) : (
        last && (
          <p class="meta">
            <time dateTime={new Date(item.at).toISOString()} title={fullTime(item.at)}>
              {shortTime(item.at)}
            </time>
            {status && <Ticks status={status} label={texts.status[status]} />}
          </p>
        )
      )}
    </div>
  );
}

function failure(code?: string): string {
  return code === "chat_closed" ? texts.failedClosed : code === "too_big" ? texts.failedLong : texts.failed;
}
