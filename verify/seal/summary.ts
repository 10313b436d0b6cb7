/** What the entries of a transcript say about the chat: its heading, computed, so that nothing in it stands outside the proof. */

import type { Json, JsonObject } from "./json";
import type { FileEntry } from "./transcript_file";

const OPENED = ["topic", "department", "order", "product", "regarding"];

export function summaryOf(entries: readonly FileEntry[]): JsonObject {
  const said: JsonObject = Object.create(null);
  const take = (name: string, value: Json | undefined) => {
    said[name] = value ?? null;
  };
  for (const { kind, at, role, name, data } of entries) {
    switch (kind) {
      case "opened":
        take("opened_at", at);
        for (const key of OPENED) if (data !== null && key in data) take(key, data[key]);
        break;
      case "assigned":
        if (!("accepted_at" in said)) take("accepted_at", at);
        take("agent_name", data?.name);
        break;
      case "closed":
        take("closed_at", at);
        take("close_reason", data?.reason);
        break;
      case "rated":
        take("rating", data?.rating);
        break;
    }
    if (role === "customer" && name !== null && !("customer_name" in said)) take("customer_name", name);
  }
  for (const key of Object.keys(said)) if (said[key] === null) delete said[key];
  return said;
}
