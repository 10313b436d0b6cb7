/** The text of an entry: masked parts with a lock, hits of a search marked. Text stays text. */

import type { Range } from "../find";
import { textParts } from "../text_parts";
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
      {textParts(text, hits).map((part, index) => {
        const inner = part.masked ? (
          <span key={index} class="masked" title={texts.masked}>
            <svg class="masked-lock" viewBox="0 0 20 20" aria-hidden="true">
              <path d="M6 9V6.5a4 4 0 0 1 8 0V9h.5A1.5 1.5 0 0 1 16 10.5v5a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 4 15.5v-5A1.5 1.5 0 0 1 5.5 9zm2 0h4V6.5a2 2 0 0 0-4 0z" />
            </svg>
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
