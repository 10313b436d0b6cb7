/** What a chat is made of on every page: the text of a message, its ticks. Texts come from the page. */

import type { ComponentChildren } from "preact";
import type { Status } from "../chat_state";
import { type TextPart, textParts } from "../text_parts";
import { CheckIcon, ChecksIcon, ClockIcon, LockIcon, WarnIcon } from "./icons";

/** A text as text, with its masked parts behind a lock that says why. */
export function MessageText({ text, why }: { text: string; why: string }) {
  return (
    <>
      {inLinks(textParts(text), (part) =>
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

/**
 * The parts of a text, those of one address in one link. It says nothing of us to where it leads, and is read from left to right:
 * an override before it cannot turn an address round.
 */
export function inLinks(parts: readonly TextPart[], show: (part: TextPart, index: number) => ComponentChildren): ComponentChildren[] {
  return parts.map((part, index) => {
    const { link } = part;
    if (link === undefined) return show(part, index);
    if (parts[index - 1]?.link === link) return null; // shown with the first
    const rest = parts.findIndex((other, at) => at > index && other.link !== link);
    return (
      <a key={index} class="outside" href={link} target="_blank" rel="noopener noreferrer nofollow ugc" dir="ltr">
        {parts.slice(index, rest < 0 ? undefined : rest).map((one, at) => show(one, index + at))}
      </a>
    );
  });
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
