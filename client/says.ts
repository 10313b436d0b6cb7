/** Whether an entry of the log is what a command of ours made: the same number alone does not say so after the server lost some. */

import type { OutboxItem } from "./outbox";
import type { ChatCommand, Entry } from "./protocol";

const KINDS: Record<ChatCommand["op"], Entry["kind"]> = {
  open_chat: "message", // its first message: `opened` has no number of ours
  post_message: "message",
  post_note: "note",
  take_chat: "assigned",
  close_chat: "closed",
  rate_chat: "rated",
};

/** What the server's tidying leaves as it is: composed characters without white space and control characters. */
const bare = (text = ""): string => text.normalize("NFC").replace(/[\s\p{C}]/gu, "");

/** Masking changes a text; besides, the server only tidies it. */
export function says({ command }: Pick<OutboxItem, "command">, entry: Entry): boolean {
  if (KINDS[command.op] !== entry.kind) return false;
  const said = "text" in command ? command.text : undefined;
  return Boolean(entry.masked?.length) || said === entry.text || bare(said) === bare(entry.text);
}
