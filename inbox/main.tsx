/** The customer's inbox: their own chats for who comes from the chat window, one transcript for a ticket number and an access code. */

import { render } from "preact";
import { adoptRegion } from "../client/format";
import { App } from "./app";

adoptRegion();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
