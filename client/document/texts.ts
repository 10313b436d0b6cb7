/** The words of a transcript as a document. */

import type { Entry } from "../protocol";

export const documentTexts = {
  roles: { customer: "Customer", agent: "Agent", supervisor: "Supervisor", bot: "Assistant", system: "" },
  unnamed: { customer: "Customer", agent: "Agent", supervisor: "Supervisor", bot: "Assistant", system: "System" },
  erased: "Erased",
  note: "Note, only agents see it",
  masked: "Masked before anybody stored or saw it",
} as const;

/** What a state change says of itself; null for an entry that shows nothing. */
export function changeText(entry: Entry): string | null {
  switch (entry.kind) {
    case "opened":
      return entry.data?.topic === undefined ? "Chat opened" : `Chat opened: ${entry.data.topic}`;
    case "assigned":
      return `${entry.data.name} took the chat`;
    case "released":
      return `${entry.name ?? documentTexts.unnamed.agent} lost the connection. The chat went back to the queue`;
    case "closed":
      if (!entry.data) return "Chat closed";
      return entry.data.reason === "agent" ? "Chat closed by the agent" : "Chat closed by the customer";
    case "rated":
      if (!entry.data) return null;
      return `Rated ${entry.data.rating} of 5${entry.text === undefined ? "" : `: “${entry.text}”`}`;
    default:
      return null;
  }
}
