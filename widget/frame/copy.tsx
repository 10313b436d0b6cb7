/** A value with a button that copies it. */

import { Component } from "preact";
import { CheckIcon, CopyIcon } from "../../client/ui/icons";
import { texts } from "./texts";

interface Props {
  label: string;
  value: string;
  shown: string;
}

export class Copy extends Component<Props, { copied: boolean }> {
  override state = { copied: false };

  private readonly copy = async () => {
    await copyText(this.props.value);
    this.setState({ copied: true });
    setTimeout(() => this.setState({ copied: false }), 2_000);
  };

  render({ label, shown }: Props, { copied }: { copied: boolean }) {
    return (
      <div>
        <dt>{label}</dt>
        <dd>
          <span translate={false}>{shown}</span>
          <button type="button" class="plain" aria-label={texts.copy(label)} onClick={this.copy}>
            {copied ? <CheckIcon /> : <CopyIcon />}
          </button>
          <span class="visually-hidden" role="status">
            {copied && texts.copied}
          </span>
        </dd>
      </div>
    );
  }
}

/** In a frame of another origin the clipboard's own interface is closed, the old command is not. */
async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const before = document.activeElement as HTMLElement | null;
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    before?.focus();
  }
}
