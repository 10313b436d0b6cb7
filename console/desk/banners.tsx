import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { SocketStatus } from "../../client/socket";
import { useCell } from "../cell";
import { texts } from "../texts";
import { useDesk } from "./context";

/** A connection that is back within this time was never worth a word. */
const QUIET_MS = 1_500;

export function Connection({ status, onNow }: { status: SocketStatus; onNow: () => void }) {
  const words = texts.banner;
  const patient = useLater(status.phase === "connecting" || status.phase === "waiting", QUIET_MS);
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
      return patient ? <Banner tone="warn">{status.tries === 0 ? words.connecting : words.waiting}</Banner> : null;
    case "waiting":
      return patient ? (
        <Banner tone="warn">
          {status.blocked ? words.blocked : words.waiting}
          <button class="plain" onClick={onNow}>
            {words.now}
          </button>
        </Banner>
      ) : null;
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

/** True once something has been so for a while. */
function useLater(so: boolean, afterMs: number): boolean {
  const [later, setLater] = useState(false);
  useEffect(() => {
    setLater(false);
    if (!so) return;
    const timer = setTimeout(() => setLater(true), afterMs);
    return () => clearTimeout(timer);
  }, [so]);
  return so && later;
}
