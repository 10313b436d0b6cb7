/** Says what of a text is hidden before it is sent, and lets its author send it as it is; never a card. Loaded with `Room`. */

import { LockIcon } from "../../client/ui/icons";
import { mayKeep } from "../../client/masking/mask";
import type { Room } from "./room";
import { secretTexts } from "./secret_texts";

interface Props {
  room: Room;
  text: string;
  /** The kinds that are sent as they are. */
  keep: readonly string[];
  onKeep(kinds: string[]): void;
}

export function Secrets({ room, text, keep, onKeep }: Props) {
  const { kinds } = room.mask(text);
  if (!kinds.length) return null;
  const hidden = kinds.filter((kind) => !keep.includes(kind));
  const open = hidden.filter(mayKeep);
  return (
    <p class="secrets" role="status">
      <LockIcon />
      <span>{hidden.length ? secretTexts.hidden(hidden) : secretTexts.sent(kinds)}</span>
      {hidden.length && !open.length ? null : (
        <button type="button" class="link" onClick={() => onKeep(open.length ? [...keep, ...open] : [])}>
          {open.length ? secretTexts.keep : secretTexts.hide}
        </button>
      )}
    </p>
  );
}
