import { formatTicket } from "../../client/format";
import type { ChatItem } from "../../client/protocol";
import { useCell } from "../cell";
import { useDesk } from "../desk/context";
import { go } from "../navigate";
import { formatRoute } from "../route";
import { texts } from "../texts";
import { WaitTime } from "./wait_time";

export interface WaitingRowProps {
  item: ChatItem;
  gone: boolean;
  now: number;
  selected: boolean;
  department: string | undefined;
}

export function WaitingRow({ item, gone, now, selected, department }: WaitingRowProps) {
  const words = texts.lists;
  const desk = useDesk();
  const taking = useCell(desk.taking).has(item.ticket);
  const who = item.name ?? texts.anonymous;

  // The second click of a double click would hit the row that came up from below.
  async function take(): Promise<void> {
    if (await desk.take(item.ticket)) go({ page: "chat", ticket: item.ticket });
  }

  if (gone) {
    const by = desk.lists.get().takenBy.get(item.ticket);
    return (
      <li class="row gone">
        <span class="row-link">
          <span class="row-who" dir="auto">
            {who}
          </span>
          <span class="row-about">{by === undefined ? words.left : words.takenBy(by)}</span>
        </span>
      </li>
    );
  }
  return (
    <li class={selected ? "row waiting selected" : "row waiting"}>
      <a class="row-link" href={formatRoute({ page: "chat", ticket: item.ticket })} aria-current={selected ? "true" : undefined}>
        <span class="row-who" dir="auto">
          {who}
        </span>
        <WaitTime since={item.since} now={now} />
        <span class="row-about" dir="auto">
          {[item.topic ?? texts.noTopic, item.order ?? formatTicket(item.ticket), department].filter(Boolean).join(" · ")}
        </span>
        {item.preview !== undefined && (
          <span class="row-preview" dir="auto">
            {item.preview}
          </span>
        )}
      </a>
      <button class="take" onClick={(event) => event.detail < 2 && take()} aria-disabled={taking || !desk.online} aria-label={`${words.take}: ${who}`}>
        {taking ? words.taking : words.take}
      </button>
    </li>
  );
}
