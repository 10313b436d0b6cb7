/** Where we are, in the fragment of the address: back, forward and reload work, and the server never sees it. */

export type Route =
  | { readonly page: "desk" }
  | { readonly page: "chat"; readonly ticket: number }
  | { readonly page: "search"; readonly q: string }
  | { readonly page: "transcript"; readonly ticket: number; readonly at: number | null; readonly q: string };

const DESK: Route = { page: "desk" };

export function parseRoute(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#/, "").split("?", 2);
  const [, page, ticketText] = path.split("/");
  const params = new URLSearchParams(query);
  const ticket = positive(ticketText);
  const q = params.get("q") ?? "";
  if (page === "search") return { page, q };
  if (page === "chats" && ticket !== null) return { page: "chat", ticket };
  if (page === "transcripts" && ticket !== null) return { page: "transcript", ticket, at: positive(params.get("at")), q };
  return DESK;
}

export function formatRoute(route: Route): string {
  switch (route.page) {
    case "desk":
      return "#/";
    case "chat":
      return `#/chats/${route.ticket}`;
    case "search":
      return withParams("#/search", { q: route.q });
    case "transcript":
      return withParams(`#/transcripts/${route.ticket}`, { at: route.at === null ? "" : String(route.at), q: route.q });
  }
}

/** The secret of a set-up link, `#setup=…`. */
export function setupSecret(fragment: string): string | null {
  const secret = /^#setup=(.+)$/.exec(fragment)?.[1];
  return secret === undefined ? null : secret;
}

function withParams(path: string, params: Record<string, string>): string {
  const kept = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== ""));
  return kept.size === 0 ? path : `${path}?${kept}`;
}

function positive(text: string | null | undefined): number | null {
  return text !== null && text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
