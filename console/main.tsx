/** The agent console. */

import { render } from "preact";
import { adoptRegion } from "../client/format";
import { App } from "./app";
import { setupSecret } from "./route";

// The secret leaves the address bar, and with it the history, before anything else happens.
const secret = setupSecret(location.hash);
if (secret !== null) history.replaceState(null, "", location.pathname);

adoptRegion();
const root = document.getElementById("app");
if (root !== null) render(<App secret={secret} />, root);
