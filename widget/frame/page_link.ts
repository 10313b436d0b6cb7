/** The panel's end of the line to the page around it. */

import { accept, type PanelOptions, type ToLoader, type ToPanel } from "../messages";

export interface PageLink {
  tell(message: ToLoader): void;
}

export function linkToPage(on: { hello(options: PanelOptions): void; shown(shown: boolean, focus: boolean): void }): PageLink {
  let pageOrigin: string | undefined;
  const early: ToLoader[] = [];
  const tell = (message: ToLoader) => {
    if (pageOrigin) parent.postMessage(message, pageOrigin);
    else early.push(message);
  };
  addEventListener("message", (event) => {
    // The first message of the window around us says where it is; from then on only that origin counts.
    const message = accept<ToPanel>(event, parent, pageOrigin ?? event.origin);
    if (!message || parent === window) return;
    if (message.chat === "hello") {
      pageOrigin = event.origin;
      on.hello(message.options ?? {});
      tell({ chat: "ready" });
      for (const waiting of early.splice(0)) tell(waiting);
    } else if (message.chat === "shown" && pageOrigin) {
      on.shown(message.shown, message.focus);
    }
  });
  return { tell };
}
