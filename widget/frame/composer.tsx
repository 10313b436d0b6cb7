/** Where one writes. Grows with the text up to six lines; Enter sends where there is a keyboard. */

import { Component, createRef } from "preact";
import { SendIcon } from "../../client/ui/icons";
import type { Panel } from "./panel";
import type { Room } from "./room";
import { texts } from "./texts";

/** From here on it says how many characters are left. */
const NEARLY = 200;

export class Composer extends Component<{ panel: Panel; room: Room }, { text: string }> {
  override state = { text: "" };
  private field = createRef<HTMLTextAreaElement>();

  override componentDidMount() {
    const { panel } = this.props;
    panel.focus = () => this.field.current?.focus();
    // On a touch screen the focus would pull up the keyboard over what there is to read.
    if (panel.shown && !touch()) panel.focus();
  }

  override componentDidUpdate() {
    const field = this.field.current;
    if (!field) return;
    field.style.height = "auto"; // by CSSOM, which a strict style-src allows
    field.style.height = `${field.scrollHeight}px`;
  }

  private readonly send = (event: Event) => {
    event.preventDefault();
    const text = this.state.text.trim();
    const { panel, room } = this.props;
    if (!text || this.left() < 0) return;
    room.post(text);
    this.setState({ text: "" });
    panel.focus();
  };

  private readonly onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter picks a word; Safari says so only by 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || touch()) return;
    this.send(event);
  };

  private readonly onInput = ({ currentTarget }: { currentTarget: HTMLTextAreaElement }) => {
    this.setState({ text: currentTarget.value });
    if (currentTarget.value) this.props.room.typing();
  };

  private left(): number {
    const most = this.props.room.chats?.socket.limits.text_chars ?? 4_096;
    const { text } = this.state;
    return text.length < most - NEARLY ? most : most - [...text.trim()].length;
  }

  render(_: unknown, { text }: { text: string }) {
    const left = this.left();
    return (
      <form class="composer" onSubmit={this.send}>
        {left < NEARLY && (
          <p id="left" class={left < 0 ? "wrong" : "muted"} role="status">
            {left < 0 ? texts.tooLong(-left) : texts.left(left)}
          </p>
        )}
        <textarea
          ref={this.field}
          rows={1}
          value={text}
          dir="auto"
          aria-label={texts.message}
          aria-invalid={left < 0}
          aria-describedby={left < NEARLY ? "left" : undefined}
          placeholder={texts.messagePlaceholder}
          onInput={this.onInput}
          onKeyDown={this.onKeyDown}
        />
        <button type="submit" class="primary" aria-label={texts.send} aria-disabled={!text.trim() || left < 0}>
          <SendIcon />
        </button>
      </form>
    );
  }
}

const touch = () => matchMedia("(pointer: coarse) and (hover: none)").matches;
