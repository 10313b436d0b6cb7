/** What a chat is to the agent who looks at it. */

import type { ChatState } from "../../client/chat_state";
import type { ChatInfo } from "../../client/protocol";

export type Standing = "queued" | "mine" | "other" | "closed";

export function standingOf(info: ChatInfo, listedAsMine: boolean): Standing {
  switch (info.state) {
    case "closing":
    case "closed":
      return "closed";
    case "queued":
      return "queued";
    case "active":
    case "waiting":
      // The log knows the owner before the list does, and the list after a reload before the log.
      return info.owner === undefined ? (listedAsMine ? "mine" : "queued") : info.owner.participant === info.me ? "mine" : "other";
  }
}

/** Whether this agent had the chat and was away for too long. */
export function lostByMe(state: ChatState | undefined): boolean {
  const me = state?.info?.me;
  for (const entry of state?.log.slice().reverse() ?? []) {
    if (entry.kind === "assigned" && entry.data.owner === me) return false;
    if (entry.kind === "released" && entry.participant === me) return true;
  }
  return false;
}
