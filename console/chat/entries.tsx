import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type ChatState, isOwn, typingNow } from "../../client/chat_state";
import { timeline } from "../../client/timeline";
import { DownIcon } from "../../client/ui/icons";
import { useDesk } from "../desk/context";
import { texts } from "../texts";
import { useNow } from "../use_now";
import { EntryRow } from "./entry_row";

/** This near to the end counts as the end. */
const NEAR_PX = 48;

export function Entries({ state, unreadAfter }: { state: ChatState; unreadAfter: number | undefined }) {
  const desk = useDesk();
  const scroller = useRef<HTMLDivElement>(null);
  const [below, setBelow] = useState(0);
  const [away, setAway] = useState(false);
  const inside = useRef<HTMLDivElement>(null);
  const seen = useRef(0);
  const lastOwn = useRef<string | undefined>(undefined);
  // The same rows are the same objects: Preact passes over them when only the world around the chat has changed.
  const rows = useMemo(
    () => timeline(state, unreadAfter).map((row) => <EntryRow key={row.key} row={row} state={state} desk={desk} />),
    [state, unreadAfter],
  );

  useLayoutEffect(() => {
    const own = state.pending.at(-1)?.key;
    if (!away || (own !== undefined && own !== lastOwn.current)) toEnd();
    lastOwn.current = own;
    const others = state.log.filter((entry) => entry.kind === "message" && entry.seq > seen.current && !isOwn(state, entry));
    if (away) setBelow(others.length);
    else seen.current = state.log.at(-1)?.seq ?? 0;
  }, [state.log, state.pending]);

  useEffect(() => {
    // The pane gets lower (a keyboard, the composer), or rows get their true height: who was at the end stays there.
    if (scroller.current === null || inside.current === null) return;
    const watch = new ResizeObserver(() => !away && toEnd());
    watch.observe(scroller.current);
    watch.observe(inside.current);
    return () => watch.disconnect();
  }, [away]);

  function toEnd(): void {
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }

  function scrolled(): void {
    const box = scroller.current;
    if (box === null) return;
    const nowAway = box.scrollHeight - box.scrollTop - box.clientHeight > NEAR_PX;
    if (!nowAway) {
      seen.current = state.log.at(-1)?.seq ?? 0;
      setBelow(0);
    }
    setAway(nowAway);
  }

  return (
    <div class="entries-frame">
      <div class="entries" ref={scroller} onScroll={scrolled} role="log" aria-label={texts.chat.entries} tabIndex={0}>
        <div class="entries-inside" ref={inside}>
          {rows}
          <Typing state={state} />
        </div>
      </div>
      {away && (
        <button class="jump" onClick={toEnd}>
          <DownIcon />
          {below > 0 ? texts.chat.newBelow(below) : texts.chat.jump}
        </button>
      )}
    </div>
  );
}

function Typing({ state }: { state: ChatState }) {
  const now = useNow(1000);
  const names = typingNow(state, now).map(({ participant, name }) => {
    const known = state.info?.participants.find((one) => one.participant === participant);
    return name ?? known?.name ?? (known?.role === "customer" ? state.info?.customer_name : undefined) ?? texts.anonymous;
  });
  return <p class="typing">{names.length > 0 && texts.chat.typing(new Intl.ListFormat(undefined, { type: "conjunction" }).format(names))}</p>;
}
