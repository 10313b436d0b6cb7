/** What the first form and the composer share: how long a text may be, and where a keyboard pulls itself up. */

import { texts } from "./texts";

/** From here on it says how many characters are left. */
export const NEARLY = 200;

/** How many characters may still be written; those beyond what a person sees (a pair of surrogates) count once. */
export const charsLeft = (text: string, most = 4_096): number =>
  text.length < most - NEARLY ? most : most - [...text.trim()].length;

export function Left({ left }: { left: number }) {
  return left < NEARLY ? (
    <p id="left" class={left < 0 ? "wrong" : "muted"} role="status">
      {left < 0 ? texts.tooLong(-left) : texts.left(left)}
    </p>
  ) : null;
}

/** On a touch screen the focus would pull up the keyboard over what there is to read. */
export const touch = () => matchMedia("(pointer: coarse) and (hover: none)").matches;
