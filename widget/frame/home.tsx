/** The first screen: what it is about, and the first message. */

import { Component, createRef } from "preact";
import { InboxLink } from "./inbox_link";
import type { Panel, Topic } from "./panel";
import { texts } from "./texts";
import { charsLeft, Left, NEARLY, touch } from "./writing";

interface State {
  topic?: Topic;
  missing: boolean;
  left: number;
  keep: readonly string[];
}

export class Home extends Component<{ panel: Panel }, State> {
  override state: State = { missing: false, left: NEARLY, keep: [] };
  private message = createRef<HTMLTextAreaElement>();
  private order = createRef<HTMLInputElement>();
  private name = createRef<HTMLInputElement>();

  override componentDidMount() {
    const { panel } = this.props;
    panel.focus = () => this.message.current?.focus();
    if (panel.shown && panel.wantsFocus && !touch()) panel.focus();
    panel.wantsFocus = false;
    const wanted = panel.options.topic?.toLowerCase();
    this.setState({ topic: panel.session?.site.topics.find(({ label }) => label.toLowerCase() === wanted) });
  }

  private readonly submit = (event: Event) => {
    event.preventDefault();
    const text = this.message.current?.value.trim();
    if (!text) {
      this.setState({ missing: true });
      return this.message.current?.focus();
    }
    if (charsLeft(text) < 0) return this.message.current?.focus();
    const { topic, keep } = this.state;
    void this.props.panel.open({ text, topic, keep, order: this.order.current?.value.trim(), name: this.name.current?.value.trim() });
  };

  private readonly onWrite = ({ currentTarget }: { currentTarget: HTMLTextAreaElement }) => {
    this.setState({ missing: false, left: charsLeft(currentTarget.value) });
  };

  private readonly onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.submit(event);
  };

  render({ panel }: { panel: Panel }, { topic, missing, left, keep }: State) {
    const { session, room } = panel;
    return (
      <form class="pad home" onSubmit={this.submit} onInput={() => void panel.load().then(() => this.setState({}))} onKeyDown={this.onKeyDown} noValidate>
        <div>
          <h2>{texts.hello}</h2>
          <p class="muted">{session?.open ? texts.helloOpen : texts.helloAway}</p>
        </div>
        {session?.site.topics.length ? (
          <fieldset>
            <legend>{texts.topic}</legend>
            {session.site.topics.map((one) => (
              <label class="chip" key={one.label}>
                <input type="radio" name="topic" checked={topic === one} onChange={() => this.setState({ topic: one })} />
                <span>{one.label}</span>
              </label>
            ))}
          </fieldset>
        ) : null}
        <label>
          <span>{texts.message}</span>
          <textarea
            ref={this.message}
            rows={3}
            dir="auto"
            aria-required
            aria-invalid={missing || left < 0}
            aria-describedby={missing ? "missing" : left < NEARLY ? "left" : undefined}
            onInput={this.onWrite}
          />
          {missing && (
            <small id="missing" class="wrong">
              {texts.messageMissing}
            </small>
          )}
        </label>
        <Left left={left} />
        {room && <room.Secrets room={room} text={this.message.current?.value ?? ""} keep={keep} onKeep={(keep) => this.setState({ keep })} />}
        <div class="pair">
          {session?.site.order_field && (
            <label>
              <Optional text={texts.order} />
              <input ref={this.order} maxLength={64} autocomplete="off" dir="auto" />
            </label>
          )}
          <label>
            <Optional text={texts.name} />
            <input ref={this.name} maxLength={80} autocomplete="name" dir="auto" />
          </label>
        </div>
        <button type="submit" class="primary">
          {texts.start}
        </button>
        <InboxLink panel={panel} class="quiet">
          {texts.earlier}
        </InboxLink>
      </form>
    );
  }
}

function Optional({ text }: { text: string }) {
  return (
    <span>
      {text}
      <small> ({texts.optional})</small>
    </span>
  );
}
