/** A line across the page that says how things are. */

import type { ComponentChildren } from "preact";

export function Banner({ tone, children }: { tone: "info" | "warn" | "danger" | "ok"; children: ComponentChildren }) {
  return (
    <div class={`banner ${tone}`} role="status">
      {children}
    </div>
  );
}
