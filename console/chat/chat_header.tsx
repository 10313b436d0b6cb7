import { formatTicket } from "../../client/format";
import type { ChatInfo } from "../../client/protocol";
import { BackIcon } from "../../client/ui/icons";
import { useDesk } from "../desk/context";
import { PersonIcon } from "../icons";
import { formatRoute } from "../route";
import { texts } from "../texts";
import type { Standing } from "./standing";

export interface ChatHeaderProps {
  ticket: number;
  info: ChatInfo;
  standing: Standing;
  details: boolean;
  onDetails: () => void;
  onClose: () => void;
}

export function ChatHeader({ ticket, info, standing, details, onDetails, onClose }: ChatHeaderProps) {
  const words = texts.chat;
  const desk = useDesk();
  const item = desk.itemOf(ticket);
  const name = info.customer_name ?? item?.name ?? texts.anonymous;
  const about = [info.topic ?? texts.noTopic, info.order, info.department.name].filter(Boolean).join(" · ");
  return (
    <header class="chat-head">
      <a class="icon-button back" href={formatRoute({ page: "desk" })} aria-label={words.back} title={words.back}>
        <BackIcon />
      </a>
      <div class="chat-title">
        <h1>
          <span class="number">{formatTicket(ticket)}</span> <bdi>{name}</bdi>
          <Badge verified={item?.verified ?? info.verified ?? false} />
        </h1>
        <p>
          <span class={`state ${standing}`}>{stateText(info, standing)}</span> <bdi>{about}</bdi>
        </p>
      </div>
      <button class="icon-button details-button" aria-expanded={details} aria-label={words.details} title={words.details} onClick={onDetails}>
        <PersonIcon />
      </button>
      {standing === "mine" && (
        <button onClick={onClose} title={`${texts.close.button} (Alt E)`}>
          {texts.close.button}
        </button>
      )}
    </header>
  );
}

export function Badge({ verified }: { verified: boolean }) {
  return verified ? (
    <span class="badge ok" title={texts.verifiedWhy}>
      {texts.verified} <span aria-hidden="true">✓</span>
    </span>
  ) : (
    <span class="badge" title={texts.unverifiedWhy}>
      {texts.unverified}
    </span>
  );
}

function stateText(info: ChatInfo, standing: Standing): string {
  const words = texts.chat;
  if (standing === "mine") return words.yours;
  if (standing === "other" && info.owner !== undefined) return words.owner(info.owner.name);
  return words.states[info.state];
}
