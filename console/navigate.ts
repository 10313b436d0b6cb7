/** The route of this tab. */

import { useEffect, useState } from "preact/hooks";
import { formatRoute, parseRoute, type Route } from "./route";

export function useRoute(): Route {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const read = () => setFragment(location.hash);
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return parseRoute(fragment);
}

/** Where the address is right now; what `useRoute` gave last may be older. */
export function currentRoute(): Route {
  return parseRoute(location.hash);
}

export function go(route: Route, { replace = false } = {}): void {
  const fragment = formatRoute(route);
  if (fragment === location.hash) return;
  if (!replace) {
    location.hash = fragment;
    return;
  }
  history.replaceState(null, "", fragment);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
