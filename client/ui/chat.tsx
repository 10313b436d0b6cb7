/** What a chat is made of on every page: the text of a message, its ticks. Texts come from the page. */

import type { ComponentChildren } from "preact";
import type { Status } from "../chat_state";
import { textParts } from "../text_parts";
import { CheckIcon, ChecksIcon, ClockIcon, LockIcon, WarnIcon } from "./icons";

/** A text as text, with its masked parts behind a lock that says why. */
export function MessageText({ text, why }: { text: string; why: string }) {
  return (
    <>
      {textParts(text).map((part) =>
        part.masked ? (
          <span class="masked" title={why}>
            <LockIcon />
            {part.text}
            <span class="visually-hidden"> ({why})</span>
          </span>
        ) : (
          part.text
        ),
      )}
    </>
  );
}

const TICKS: Record<Status, () => ComponentChildren> = {
  sending: ClockIcon,
  sent: CheckIcon,
  stored: ChecksIcon,
  read: ChecksIcon,
  failed: WarnIcon,
};

/** How far a message has come; `label` says it in words. */
export function Ticks({ status, label }: { status: Status; label: string }) {
  const Shape = TICKS[status];
  return (
    <span class={`ticks ${status}`} role="img" aria-label={label} title={label}>
      <Shape />
    </span>
  );
}
