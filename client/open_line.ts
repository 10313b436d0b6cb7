/** The line of a page to the server. */

import type { LineHooks } from "./chats";
import { claimDevice } from "./device";
import { randomId } from "./random";
import { ChatSocket, type Line, type SocketOptions } from "./socket";
import type { Store } from "./storage";

export interface LineOptions extends Pick<SocketOptions, "url" | "getPass"> {
  /** Where the outbox is kept, and under which name: one for each person who may be signed in here. */
  store: Store;
  scope: string;
}

export interface OpenLine {
  line(hooks: LineHooks): Line;
  /** Another tab may go on from here. */
  release(): void;
}

export async function openLine(options: LineOptions): Promise<OpenLine> {
  const { device, store, release } = await claimDevice(options.scope, options.store);
  return { line: (hooks) => new ChatSocket({ ...options, ...hooks, device, store, newDevice: randomId }), release };
}
