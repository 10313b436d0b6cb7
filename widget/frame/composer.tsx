/** Where one writes. Grows with the text up to six lines; Enter sends where there is a keyboard. */

import { Component, createRef } from "preact";
import { SendIcon } from "../../client/ui/icons";
import type { Panel } from "./panel";
import type { Room } from "./room";
import { texts } from "./texts";
import { charsLeft, Left, NEARLY, touch } from "./writing";

interface State {
  text: string;
  /** Kinds of secrets in it that are sent as they are. */
  keep: readonly string[];
}

export class Composer extends Component<{ panel: Panel; room: Room }, State> {
  override state: State = { text: "", keep: [] };
  private field = createRef<HTMLTextAreaElement>();

  override componentDidMount() {
    const { panel } = this.props;
    panel.focus = () => this.field.current?.focus();
    if (panel.shown && !touch()) panel.focus();
  }

  override componentDidUpdate() {
    const field = this.field.current;
    if (!field) return;
    // By CSSOM, which a strict style-src allows. The form keeps its height meanwhile, or the log above would be scrolled.
    const form = field.form as HTMLElement;
    form.style.minHeight = `${form.offsetHeight}px`;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
    form.style.minHeight = "";
  }

  private readonly send = (event: Event) => {
    event.preventDefault();
    const text = this.state.text.trim();
    const { panel, room } = this.props;
    if (!text || this.left() < 0 || room.chats?.full) return;
    room.post(text, this.state.keep);
    this.setState({ text: "", keep: [] });
    panel.focus();
  };

  private readonly onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter picks a word; Safari says so only by 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || touch()) return;
    this.send(event);
  };

  private readonly onInput = ({ currentTarget }: { currentTarget: HTMLTextAreaElement }) => {
    const text = currentTarget.value;
    this.setState(text ? { text } : { text, keep: [] });
    if (currentTarget.value) this.props.room.typing();
  };

  private left(): number {
    return charsLeft(this.state.text, this.props.room.chats?.socket.limits.text_chars);
  }

  render({ room }: { panel: Panel; room: Room }, { text, keep }: State) {
    const left = this.left();
    const full = room.chats?.full;
    return (
      <form class="composer" onSubmit={this.send}>
        {full ? (
          <p id="left" class="wrong" role="status">
            {texts.full}
          </p>
        ) : (
          <Left left={left} />
        )}
        <room.Secrets room={room} text={text} keep={keep} onKeep={(keep) => this.setState({ keep })} />
        <textarea
          ref={this.field}
          rows={1}
          value={text}
          dir="auto"
          aria-label={texts.message}
          aria-invalid={left < 0}
          aria-describedby={full || left < NEARLY ? "left" : undefined}
          placeholder={texts.messagePlaceholder}
          onInput={this.onInput}
          onKeyDown={this.onKeyDown}
        />
        <button type="submit" class="primary" aria-label={texts.send} aria-disabled={!text.trim() || left < 0 || full}>
          <SendIcon />
        </button>
      </form>
    );
  }
}
