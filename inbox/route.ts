/** Where one is in the inbox, as the address says it. Nothing of it reaches the server: it is the fragment. */

import { useEffect, useState } from "preact/hooks";

export interface ListRoute {
  readonly page: "list";
  readonly q: string;
}

export interface ChatRoute {
  readonly page: "chat";
  readonly ticket: number;
  /** The entry that a search found, and the words that it was found by. */
  readonly at: number | null;
  readonly words: string;
}

export type Route = ListRoute | ChatRoute | { readonly page: "code" };

export function parseRoute(fragment: string): Route {
  const fields = fieldsOf(fragment);
  if (fields.has("code")) return { page: "code" };
  const ticket = numberOf(fields.get("ticket"));
  if (ticket === null) return { page: "list", q: fields.get("q") ?? "" };
  return { page: "chat", ticket, at: numberOf(fields.get("at")), words: fields.get("q") ?? "" };
}

export function formatRoute(route: Route): string {
  const fields = new URLSearchParams();
  if (route.page === "code") fields.set("code", "");
  else if (route.page === "list") {
    if (route.q !== "") fields.set("q", route.q);
  } else {
    fields.set("ticket", String(route.ticket));
    if (route.at !== null) fields.set("at", String(route.at));
    if (route.words !== "") fields.set("q", route.words);
  }
  return `#${fields}`;
}

/** The secret with which the chat window opens this page. */
export function passOfFragment(fragment: string): string {
  return fieldsOf(fragment).get("pass") ?? "";
}

export function withoutPass(fragment: string): string {
  const fields = fieldsOf(fragment);
  fields.delete("pass");
  return `#${fields}`;
}

export function useFragment(): string {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const read = () => setFragment(location.hash);
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return fragment;
}

/** Another address in the place of this one: Back does not lead to it. */
export function replaceRoute(route: Route): void {
  const fragment = formatRoute(route);
  if (fragment !== location.hash) history.replaceState(null, "", fragment);
}

function fieldsOf(fragment: string): URLSearchParams {
  return new URLSearchParams(fragment.replace(/^#/, ""));
}

function numberOf(text: string | null): number | null {
  const digits = (text ?? "").replace(/[\s#-]/g, "");
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null;
}
