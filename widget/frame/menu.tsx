/** ⋯: what is seldom needed in a chat. A disclosure with plain buttons; ending asks a second time in place. */

import { Component, createRef } from "preact";
import { MoreIcon } from "../../client/ui/icons";
import { InboxLink } from "./inbox_link";
import type { Room } from "./room";
import { texts } from "./texts";

export class Menu extends Component<{ room: Room }, { open: boolean; sure: boolean }> {
  override state = { open: false, sure: false };
  private button = createRef<HTMLButtonElement>();
  private box = createRef<HTMLDivElement>();

  private readonly set = (open: boolean) => this.setState({ open, sure: false });

  private readonly onFocusOut = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget && !this.box.current?.contains(relatedTarget as Node)) this.set(false);
  };

  private readonly onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !this.state.open) return;
    event.preventDefault(); // closes the menu, not the panel
    this.set(false);
    this.button.current?.focus();
  };

  render({ room }: { room: Room }, { open, sure }: { open: boolean; sure: boolean }) {
    const { ticket, info } = room.chat ?? {};
    const state = info?.state;
    return (
      <div class="menu" ref={this.box} onFocusOut={this.onFocusOut} onKeyDown={this.onKeyDown}>
        <button type="button" class="plain" ref={this.button} aria-label={texts.menu} aria-expanded={open} onClick={() => this.set(!open)}>
          <MoreIcon />
        </button>
        {open && (
          <div class="card menu-items">
            <InboxLink panel={room.panel} ticket={ticket}>
              {texts.read}
            </InboxLink>
            {(state === "queued" || state === "active" || state === "waiting") &&
              (sure ? (
                <div role="group" aria-label={texts.endSure}>
                  <p>{texts.endSure}</p>
                  <button type="button" class="danger" ref={focusIt} onClick={() => (room.end(), this.set(false))}>
                    {texts.endYes}
                  </button>
                  <button type="button" onClick={() => this.set(false)}>
                    {texts.endNo}
                  </button>
                </div>
              ) : (
                <button type="button" class="link" onClick={() => this.setState({ sure: true })}>
                  {texts.end}
                </button>
              ))}
          </div>
        )}
      </div>
    );
  }
}

const focusIt = (element: HTMLElement | null) => element?.focus();
