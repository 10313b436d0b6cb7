/** A transcript as docs/http.md gives it, page by page, and the download of its file. */

import { call, HttpError } from "./http";
import type { ChatPhase, CloseReason, Department, Entry } from "./protocol";

export interface Transcript {
  ticket: number;
  state: ChatPhase;
  site_name: string;
  topic?: string;
  order?: string;
  product?: string;
  department: Department | string;
  customer_name?: string;
  agent_name?: string;
  opened_at: number;
  accepted_at?: number;
  closed_at?: number;
  close_reason?: CloseReason;
  rating?: number;
  sealed: { at: number; key_id: string } | null;
  entries: Entry[];
  more: boolean;
  /** Staff only. */
  customer?: { id: string; name?: string; email?: string; verified: boolean };
  /** Who opened this transcript, the last first. Names of staff are for staff. */
  accesses?: Access[];
}

export interface Access {
  at: number;
  by: "customer" | "staff";
  who: string;
  how: "read" | "download";
}

/** The rest of a transcript whose first page we have. `onPage` gets the transcript as far as it is there. */
export async function loadRest(
  path: string,
  first: Transcript,
  onPage: (transcript: Transcript) => void,
  options: { token?: string; signal?: AbortSignal } = {},
): Promise<void> {
  let whole = first;
  while (whole.more) {
    const after = whole.entries.at(-1)?.seq ?? 0;
    const { transcript } = await call<{ transcript: Transcript }>("GET", `${path}?after=${after}`, options);
    whole = { ...transcript, entries: [...whole.entries, ...transcript.entries], more: transcript.more && transcript.entries.length > 0 };
    onPage(whole);
  }
}

/** Fetches a file (with a token, which a plain link cannot send) and hands it to the browser's downloads. */
export async function download(path: string, name: string, token?: string): Promise<void> {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(path, { headers, credentials: "same-origin" }).catch(() => {
    throw new HttpError(0, "unreachable", "The server did not answer.");
  });
  if (!response.ok) throw new HttpError(response.status, "unavailable", `The server answered ${response.status}.`);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // Safari reads the address after the click has returned.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function departmentName(department: Department | string): string {
  return typeof department === "string" ? department : department.name;
}
