/** Checks exported transcripts in the browser: one file, which asks nobody and works from a disk without a network. */

import { render } from "preact";
import { adoptRegion } from "../client/format";
import { App } from "./app";
import { readKeys } from "./seal/keys";

adoptRegion();
const root = document.getElementById("app");
const published = document.getElementById("seal-keys")?.textContent ?? "";
if (root !== null) render(<App published={readKeys(published) ?? new Map()} />, root);
