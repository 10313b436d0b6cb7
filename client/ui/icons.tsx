/** The one set of icons: 20 px, drawn in the colour of the text, and never the only name of what they stand for. */

import type { ComponentChildren } from "preact";

function icon(shape: ComponentChildren) {
  return () => (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {shape}
    </svg>
  );
}

const line = (d: string) => icon(<path d={d} />);

export const BackIcon = /* @__PURE__ */ line("M12 4 6 10l6 6");
export const CheckIcon = /* @__PURE__ */ line("m4 10.5 4 4 8-9");
export const ChecksIcon = /* @__PURE__ */ line("m1.5 10.5 4 4 7.5-8.5M9.5 13l1.5 1.5L18.5 6");
export const ClockIcon = /* @__PURE__ */ line("M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M10 6v4.5l3 1.5");
export const CloseIcon = /* @__PURE__ */ line("m5 5 10 10M15 5 5 15");
export const CopyIcon = /* @__PURE__ */ line("M7 7h9v9H7zM13 7V4H4v9h3");
export const DownIcon = /* @__PURE__ */ line("M10 4v11M5 10.5l5 5 5-5");
export const LockIcon = /* @__PURE__ */ line("M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9");
export const MoreIcon = /* @__PURE__ */ icon(<path d="M4 10h.01M10 10h.01M16 10h.01" stroke-width="3" />);
export const SearchIcon = /* @__PURE__ */ line("M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M13 13l4 4");
export const SendIcon = /* @__PURE__ */ line("M10 16V4M5 9l5-5 5 5");
export const StarIcon = /* @__PURE__ */ line("m10 2.8 2.2 4.6 5 .7-3.6 3.5.8 5-4.4-2.4-4.4 2.4.8-5L2.8 8.1l5-.7z");
export const WarnIcon = /* @__PURE__ */ line("M10 3 2.5 16.5h15zM10 8v4M10 14.5h.01");
