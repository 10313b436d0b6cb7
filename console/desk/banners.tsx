import type { ComponentChildren } from "preact";
import type { SocketStatus } from "../../client/socket";
import { useCell } from "../cell";
import { texts } from "../texts";
import { useDesk } from "./context";

export function Connection({ status, onNow }: { status: SocketStatus; onNow: () => void }) {
  const words = texts.banner;
  switch (status.phase) {
    case "idle":
    case "online":
      return null;
    case "offline":
      return <Banner tone="warn">{words.offline}</Banner>;
    case "stopped":
      return (
        <Banner tone="danger">
          {status.message || words.stopped}
          <button class="plain" onClick={() => location.reload()}>
            {words.reload}
          </button>
        </Banner>
      );
    case "connecting":
      return <Banner tone="warn">{status.tries === 0 ? words.connecting : words.waiting}</Banner>;
    case "waiting":
      return (
        <Banner tone="warn">
          {status.blocked ? words.blocked : words.waiting}
          <button class="plain" onClick={onNow}>
            {words.now}
          </button>
        </Banner>
      );
  }
}

function Banner({ tone, children }: { tone: "warn" | "danger"; children: ComponentChildren }) {
  return (
    <div class={`banner ${tone}`} role="status">
      {children}
    </div>
  );
}

export function Notice() {
  const desk = useDesk();
  const notice = useCell(desk.notice);
  return (
    <div class="desk-notice" role="status">
      {notice !== null && <p class="notice">{notice}</p>}
    </div>
  );
}
