import { describe, expect, it } from "vitest";
import { formatRoute, parseRoute, type Route, setupSecret } from "./route";

const ROUTES: Route[] = [
  { page: "desk" },
  { page: "chat", ticket: 100009 },
  { page: "search", q: "" },
  { page: "search", q: 'agent:"Ann Lee" 50% & more #1' },
  { page: "transcript", ticket: 100009, at: 12, q: "kettle?" },
  { page: "transcript", ticket: 100009, at: null, q: "" },
];

describe("routes", () => {
  it.each(ROUTES)("come back from the address as they were: $page", (route) => {
    expect(parseRoute(formatRoute(route))).toEqual(route);
  });

  it.each(["", "#", "#/chats/0", "#/chats/12x", "#/nothing", "#setup=abc"])("lead to the desk when they are none: %s", (fragment) => {
    expect(parseRoute(fragment)).toEqual({ page: "desk" });
  });

  it("find the secret of a set-up link and nothing else", () => {
    expect(setupSecret("#setup=s3cret-_x")).toBe("s3cret-_x");
    expect(setupSecret("#setup=")).toBeNull();
    expect(setupSecret("#/search?q=setup=1")).toBeNull();
  });
});
