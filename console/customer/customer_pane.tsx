import { dayTime, formatTicket } from "../../client/format";
import { type Fact, FactList } from "../../client/ui/facts";
import { CloseIcon } from "../../client/ui/icons";
import { Badge } from "../chat/chat_header";
import { useDesk } from "../desk/context";
import { texts } from "../texts";
import { Earlier } from "./earlier_list";

/** Who the customer is, as far as we know. */
export function CustomerPane({ ticket, onClose }: { ticket: number; onClose: () => void }) {
  const words = texts.customer;
  const desk = useDesk();
  const state = desk.chats.get(ticket);
  const item = desk.itemOf(ticket);
  const info = state?.info;
  if (info === undefined) return <aside class="customer-pane" aria-label={words.title} />;

  const name = info.customer_name ?? item?.name;
  const verified = item?.verified ?? info.verified ?? false;
  const opened = state?.log.find((entry) => entry.kind === "opened");
  const data: Record<string, unknown> = { ...(opened?.data ?? {}) };
  const regarding = Array.isArray(data.regarding) ? data.regarding.map(Number).filter((number) => number > 0) : [];
  const facts: Fact[] = [
    [words.ticket, formatTicket(ticket)],
    [words.order, info.order],
    [words.product, info.product],
    [words.topic, info.topic],
    [words.department, info.department.name],
    [words.page, info.page_url],
    [words.opened, dayTime(info.opened_at)],
    [words.accepted, info.accepted_at === undefined ? undefined : dayTime(info.accepted_at)],
    [words.rating, info.rating === undefined ? undefined : words.rated(info.rating)],
  ];
  return (
    <aside class="customer-pane" aria-labelledby="customer-title" onKeyDown={(event) => event.key === "Escape" && onClose()}>
      <header class="customer-head">
        <h2 id="customer-title">
          <span class="visually-hidden">{words.title}: </span>
          <bdi>{name ?? texts.anonymous}</bdi> <Badge verified={verified} />
        </h2>
        <button class="icon-button details-button" aria-label={words.close} title={words.close} onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      <FactList kind="customer-facts" facts={facts} />
      <Earlier ticket={ticket} order={info.order} name={verified ? name : undefined} regarding={regarding} />
    </aside>
  );
}
