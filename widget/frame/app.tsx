/** The panel's frame and its first screens. Class components, because hooks cost 1.5 KB. */

import { Component, type ComponentChildren } from "preact";
import { Banner } from "../../client/ui/banner";
import { CloseIcon } from "../../client/ui/icons";
import { Home } from "./home";
import type { Panel } from "./panel";
import { texts } from "./texts";

export class App extends Component<{ panel: Panel }> {
  override componentDidMount() {
    const { panel } = this.props;
    panel.onChange(() => this.setState({}));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) panel.close();
    });
  }

  render({ panel }: { panel: Panel }) {
    const { screen, room } = panel;
    if (screen === "chat" && room?.chat) return <room.View panel={panel} room={room} chat={room.chat} />;
    const note = panel.unreachable ? texts.unreachable : panel.lost && texts.lost;
    return (
      <Frame panel={panel} banner={note && <Banner tone="warn">{note}</Banner>}>
        {screen === "home" ? (
          <Home panel={panel} />
        ) : screen === "blocked" ? (
          <div class="pad blocked">
            <h2>{texts.wrongSite}</h2>
            <p>{texts.wrongSiteWhy}</p>
          </div>
        ) : (
          <div class="pad skeleton" role="status" aria-label={texts.loading}>
            <i />
            <i />
            <i />
          </div>
        )}
      </Frame>
    );
  }
}

interface FrameProps {
  panel: Panel;
  state?: string;
  menu?: ComponentChildren;
  banner?: ComponentChildren;
  children: ComponentChildren;
}

/** Title line, state line, banner: the same on every screen. */
export function Frame({ panel, state, menu, banner, children }: FrameProps) {
  return (
    <>
      <header>
        <div class="title">
          <h1>{panel.session?.site.name || texts.chat}</h1>
          <p class="state" role="status">
            {state}
          </p>
        </div>
        {menu}
        {parent !== window && (
          <button type="button" class="plain" aria-label={texts.close} onClick={() => panel.close()}>
            <CloseIcon />
          </button>
        )}
      </header>
      {banner}
      <main>{children}</main>
    </>
  );
}
