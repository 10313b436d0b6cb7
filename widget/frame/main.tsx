/** /widget/frame: the panel. */

import { render } from "preact";
import { App } from "./app";
import { applyOptions } from "./options";
import { Panel } from "./panel";

const panel = new Panel();
panel.onChange(() => applyOptions(panel.options));
render(<App panel={panel} />, document.getElementById("app")!);
void panel.start();
