/** The first screen: what it is about, and the first message. */

import { Component, createRef } from "preact";
import type { Panel, Topic } from "./panel";
import { texts } from "./texts";

interface State {
  topic?: Topic;
  missing: boolean;
}

export class Home extends Component<{ panel: Panel }, State> {
  override state: State = { missing: false };
  private message = createRef<HTMLTextAreaElement>();
  private order = createRef<HTMLInputElement>();
  private name = createRef<HTMLInputElement>();

  override componentDidMount() {
    const { panel } = this.props;
    panel.focus = () => this.message.current?.focus();
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
    const { topic } = this.state;
    void this.props.panel.open({ text, topic, order: this.order.current?.value.trim(), name: this.name.current?.value.trim() });
  };

  private readonly onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.submit(event);
  };

  render({ panel }: { panel: Panel }, { topic, missing }: State) {
    const { session } = panel;
    return (
      <form class="pad home" onSubmit={this.submit} onInput={() => void panel.load()} onKeyDown={this.onKeyDown} noValidate>
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
            maxLength={4_096}
            dir="auto"
            aria-required
            aria-invalid={missing}
            aria-describedby={missing ? "missing" : undefined}
            onInput={() => missing && this.setState({ missing: false })}
          />
          {missing && (
            <small id="missing" class="wrong">
              {texts.messageMissing}
            </small>
          )}
        </label>
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
        <a class="quiet" href="/inbox" target="_blank" rel="noopener">
          {texts.earlier}
        </a>
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
