/**
 * A link into the inbox, as who one is here. The pass is asked for only when the link is followed, since it is good for once and
 * 30 s; and the tab is opened before we wait for it, or the browser would take it for a pop-up.
 */

import type { ComponentChildren } from "preact";
import type { Panel } from "./panel";

interface Props {
  panel: Panel;
  ticket?: number;
  class?: string;
  children: ComponentChildren;
}

export function InboxLink({ panel, ticket, children, ...rest }: Props) {
  const href = `/inbox#${ticket ? `ticket=${ticket}` : ""}`;
  const follow = async (event: MouseEvent) => {
    const tab = event.ctrlKey || event.metaKey || event.shiftKey ? null : open("", "_blank");
    if (!tab) return; // the plain link asks for the access code
    event.preventDefault();
    tab.opener = null;
    const pass = await panel.getPass().catch(() => "");
    tab.location.replace(`${location.origin}${href}${pass && `&pass=${pass}`}`);
  };
  return (
    <a {...rest} href={href} target="_blank" rel="noopener" onClick={follow}>
      {children}
    </a>
  );
}
