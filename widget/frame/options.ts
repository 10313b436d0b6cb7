/** What the page around the panel asked for: language, direction of writing, accent colour. */

import { textOn } from "../color";
import type { PanelOptions } from "../messages";

/** Languages with texts of their own. */
const LOCALES = ["en"];
const RTL = /^(ar|dv|fa|he|ku|ps|sd|ug|ur|yi)\b/i;

export function applyOptions({ locale = "", color = "" }: PanelOptions): void {
  const root = document.documentElement;
  // Dates follow the texts: a German date in an English sentence helps nobody.
  root.lang = LOCALES.includes(locale.split("-")[0]?.toLowerCase() ?? "") ? locale : "en";
  root.dir = RTL.test(locale) ? "rtl" : "ltr";
  const ink = textOn(color);
  if (!ink) return;
  for (const [name, value] of [["accent", color], ["accent-strong", color], ["on-accent", ink]]) {
    root.style.setProperty(`--${name}`, value as string);
  }
}
