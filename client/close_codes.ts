/** Which close codes end it (docs/protocol.md, "Close codes"). With every other code the client comes back. */

export const UNAUTHENTICATED = 4401;
export const SUPERSEDED = 4409;
/** No close frame came: the network, or a silence that was too long. */
export const LOST = 1006;
export const DRAINING = 4001;

const STOPS: Record<number, string> = {
  4400: "The server did not understand this page. Reload it.",
  [UNAUTHENTICATED]: "You are signed out.",
  4403: "This is not allowed here.",
  [SUPERSEDED]: "This chat goes on in another window.",
  4429: "Too much was sent at once.",
  1009: "A message was too big.",
  1002: "The connection is broken.",
  1003: "The connection is broken.",
  1007: "The connection is broken.",
  1008: "The connection is broken.",
};

/** What to tell when this code is the end; nothing when the client is to reconnect. */
export function stopMessage(code: number): string | undefined {
  return STOPS[code] ?? (code >= 4400 && code < 4500 ? "The server ended the connection." : undefined);
}
