/** A chat as rows to show: day separators, messages grouped by writer and minute, changes between them, and where the unread part starts. */

import { type ChatState, isOwn, type LogEntry, type Pending } from "./chat_state";
import { sameDay } from "./format";

export interface MessageRow {
  type: "message";
  key: string;
  item: LogEntry | Pending;
  own: boolean;
  note: boolean;
  /** First and last of its group: who wrote it stands above the first, the time and the ticks below the last. */
  first: boolean;
  last: boolean;
}

export type Row =
  | { type: "day"; key: string; at: number }
  | { type: "unread"; key: string }
  | { type: "change"; key: string; entry: LogEntry }
  | MessageRow;

const GROUP_MS = 60_000;

/** `unreadAfter`: the seq that was read when this person came; what others wrote after it is below the "new" line. */
export function timeline(state: ChatState, unreadAfter?: number): Row[] {
  const rows: Row[] = [];
  let day = Number.NaN;
  let marked = unreadAfter === undefined;
  let group: { row: MessageRow; who: string; at: number } | undefined;
  const endGroup = () => {
    if (group) group.row.last = true;
    group = undefined;
  };
  const startDay = (at: number) => {
    if (sameDay(day, at)) return;
    endGroup();
    day = at;
    rows.push({ type: "day", key: `day ${at}`, at });
  };
  const say = (item: LogEntry | Pending, key: string, own: boolean, who: string) => {
    const note = item.kind === "note";
    const writer = `${who} ${note}`;
    const joins = group?.who === writer && item.at - group.at < GROUP_MS;
    if (!joins) endGroup();
    const row: MessageRow = { type: "message", key, item, own, note, first: !joins, last: false };
    group = { row, who: writer, at: joins && group ? group.at : item.at };
    rows.push(row);
  };
  for (const entry of state.log) {
    const key = entry.key ?? entry.entry_id;
    switch (entry.kind) {
      case "message":
      case "note": {
        startDay(entry.at);
        const own = isOwn(state, entry);
        if (!marked && !own && entry.seq > (unreadAfter ?? 0)) {
          endGroup();
          marked = true;
          rows.push({ type: "unread", key: "unread" });
        }
        say(entry, key, own, own ? "me" : entry.participant);
        break;
      }
      case "opened":
      case "assigned":
      case "released":
      case "closed":
      case "rated":
        startDay(entry.at);
        endGroup();
        rows.push({ type: "change", key, entry });
        break;
      default: // a kind of a newer server: it counts, but there is nothing to show
    }
  }
  for (const item of state.pending) {
    if (item.kind !== "message" && item.kind !== "note") continue;
    startDay(item.at);
    say(item, item.key, true, "me");
  }
  endGroup();
  return rows;
}
