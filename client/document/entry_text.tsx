/** The text of an entry: masked parts with a lock, hits of a search marked. Text stays text. */

import type { Range } from "../find";
import { textParts } from "../text_parts";
import { inLinks } from "../ui/chat";
import { LockIcon } from "../ui/icons";
import { documentTexts as texts } from "./texts";

export interface EntryTextProps {
  text: string;
  hits?: readonly Range[];
  /** Which of the hits the reader is at. */
  current?: number;
}

export function EntryText({ text, hits = [], current = -1 }: EntryTextProps) {
  return (
    <>
      {inLinks(textParts(text, hits), (part, index) => {
        const inner = part.masked ? (
          <span key={index} class="masked" title={texts.masked}>
            <LockIcon />
            {part.text}
            <span class="visually-hidden"> ({texts.masked})</span>
          </span>
        ) : (
          part.text
        );
        if (part.hit < 0) return inner;
        return (
          <mark key={index} class={part.hit === current ? "hit current" : "hit"}>
            {inner}
          </mark>
        );
      })}
    </>
  );
}
