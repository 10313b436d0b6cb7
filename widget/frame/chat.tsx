/** The chat screen: how far the queue is, what was said, and the place to write or, once it has ended, to rate. */

import type { ComponentChildren } from "preact";
import type { ChatState } from "../../client/chat_state";
import { formatTicket } from "../../client/format";
import { Banner } from "../../client/ui/banner";
import { Frame } from "./app";
import { Composer } from "./composer";
import { Copy } from "./copy";
import { Ended } from "./ended";
import { Log } from "./log";
import { Menu } from "./menu";
import type { Panel } from "./panel";
import type { Room } from "./room";
import { texts } from "./texts";

interface Props {
  panel: Panel;
  room: Room;
  chat: ChatState;
}

export function ChatScreen({ panel, room, chat }: Props) {
  const { ended } = room;
  const state = chat.info?.state;
  return (
    <Frame panel={panel} state={stateLine(chat, ended)} menu={<Menu room={room} />} banner={connection(room)}>
      <Log room={room} chat={chat}>
        {!ended && <Names panel={panel} chat={chat} open={state === "queued" || state === "waiting"} />}
      </Log>
      {ended ? (
        <Ended room={room} chat={chat}>
          <Names panel={panel} chat={chat} open />
        </Ended>
      ) : (
        <Composer panel={panel} room={room} />
      )}
    </Frame>
  );
}

function stateLine({ info }: ChatState, ended: boolean): string | undefined {
  if (ended) return texts.closed;
  if (info?.state === "queued") return info.queue && texts.queueState(info.queue.place);
  return info?.state === "waiting" ? texts.waitingState : info?.owner?.name;
}

function connection({ chats }: Room): ComponentChildren {
  const status = chats?.shownStatus;
  switch (status?.phase) {
    case "offline":
      return <Banner tone="warn">{texts.offline}</Banner>;
    case "waiting":
      return <Banner tone="warn">{status.blocked ? texts.blocked : texts.reconnecting}</Banner>;
    case "connecting":
      return <Banner tone="warn">{texts.reconnecting}</Banner>;
    case "stopped": {
      const elsewhere = status.code === 4409;
      return (
        <Banner tone="danger">
          {elsewhere ? texts.elsewhere : texts.stopped}
          <button type="button" class="link" onClick={() => chats?.socket.start()}>
            {elsewhere ? texts.useHere : texts.again}
          </button>
        </Banner>
      );
    }
    default:
      return null;
  }
}

/** Ticket number and access code, the way back to this chat: open while one waits, one line later. */
function Names({ panel, chat, open }: { panel: Panel; chat: ChatState; open?: boolean }) {
  const { ticket, info } = chat;
  const { code } = panel.kept;
  const queue = info?.state === "queued" ? info.queue : undefined;
  if (!ticket) return chat.pending.some((item) => item.status === "failed") ? null : <p class="change">{texts.opening}</p>;
  return (
    <>
      {queue && (
        <p class="place">
          <b>{queue.place === 1 ? texts.next : texts.before(queue.place - 1)}</b> {panel.store.lasting ? texts.stay : texts.stayHere}
        </p>
      )}
      <details class="card names" open={open}>
        <summary>
          {texts.names} <b>{formatTicket(ticket)}</b>
        </summary>
        <dl>
          <Copy label={texts.ticket} value={String(ticket)} shown={formatTicket(ticket)} />
          {code && <Copy label={texts.code} value={code} shown={`${code.slice(0, 5)} ${code.slice(5)}`} />}
        </dl>
        {code && <p class="muted">{panel.store.lasting ? texts.keep : texts.memoryOnly}</p>}
      </details>
    </>
  );
}
