/** The line of a page to the server: one socket for all tabs of a browser where it can be, one for each tab where it cannot. */

import type { LineHooks } from "./chats";
import { claimDevice } from "./device";
import { randomId } from "./random";
import { ChatSocket, type Line, type SocketOptions } from "./socket";
import type { Store } from "./storage";
import { SharedLine } from "./tabs/shared_line";

export interface LineOptions extends Pick<SocketOptions, "url" | "getPass" | "WebSocket"> {
  /** Where the outbox is kept, and under which name: one for each person who may be signed in here. */
  store: Store;
  scope: string;
}

export interface OpenLine {
  line(hooks: LineHooks): Line;
  /** Other tabs may go on from here. */
  release(): void;
}

export async function openLine(options: LineOptions): Promise<OpenLine> {
  // Without them (plain HTTP, old browsers, storage that is blocked) tabs can neither find nor follow each other.
  if (options.store.lasting && navigator.locks && typeof BroadcastChannel === "function") {
    const shared = await new SharedLine(options).open();
    return { line: (hooks) => shared.attach(hooks), release: () => shared.close() };
  }
  const { device, store, release } = await claimDevice(options.scope, options.store);
  return { line: (hooks) => new ChatSocket({ ...options, ...hooks, device, store, newDevice: randomId }), release };
}
