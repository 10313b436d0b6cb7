/** After the end: how was it, where to read it again, and a new chat. */

import { Component, type ComponentChildren, createRef } from "preact";
import type { ChatState } from "../../client/chat_state";
import { StarIcon } from "../../client/ui/icons";
import { InboxLink } from "./inbox_link";
import type { Room } from "./room";
import { texts } from "./texts";

interface Props {
  room: Room;
  chat: ChatState;
  children: ComponentChildren;
}

export class Ended extends Component<Props, { rating: number }> {
  override state = { rating: 0 };
  private comment = createRef<HTMLTextAreaElement>();

  private get rated(): boolean {
    const { info, pending } = this.props.chat;
    return Boolean(info?.rating) || pending.some((item) => item.kind === "rated" && item.status !== "failed");
  }

  private readonly send = (event?: Event) => {
    event?.preventDefault();
    if (this.state.rating && !this.rated) this.props.room.rate(this.state.rating, this.comment.current?.value.trim());
  };

  /** Stars that were chosen count, sent or not. */
  private readonly leave = () => {
    this.send();
    this.props.room.leave();
  };

  render({ room, chat, children }: Props, { rating }: { rating: number }) {
    const { rated } = this;
    return (
      <div class="ended">
        {rated ? (
          <p role="status">{texts.thanks}</p>
        ) : (
          <form onSubmit={this.send}>
            <fieldset class="stars">
              <legend>{texts.rate}</legend>
              {[1, 2, 3, 4, 5].map((count) => (
                <label key={count} class={count <= rating ? "on" : undefined}>
                  <input type="radio" name="rating" checked={count === rating} onChange={() => this.setState({ rating: count })} />
                  <StarIcon />
                  <span class="visually-hidden">{texts.stars(count)}</span>
                </label>
              ))}
            </fieldset>
            {rating > 0 && (
              <>
                <label>
                  <span>
                    {texts.comment} <small>({texts.optional})</small>
                  </span>
                  <textarea ref={this.comment} rows={2} maxLength={1_000} dir="auto" />
                </label>
                <button type="submit" class="primary">
                  {texts.sendRating}
                </button>
              </>
            )}
          </form>
        )}
        {children}
        <button type="button" class={rating && !rated ? undefined : "primary"} onClick={this.leave}>
          {texts.startNew}
        </button>
        <InboxLink panel={room.panel} ticket={chat.ticket} class="quiet">
          {texts.read}
        </InboxLink>
      </div>
    );
  }
}
