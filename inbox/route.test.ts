import { describe, expect, it } from "vitest";
import { formatRoute, parseRoute, passOfFragment, type Route, withoutPass } from "./route";

describe("the address of the inbox", () => {
  it("comes back as what it was", () => {
    const routes: Route[] = [
      { page: "list", q: "" },
      { page: "list", q: 'kettle -red "on its way" & more#' },
      { page: "chat", ticket: 100009, at: null, words: "" },
      { page: "chat", ticket: 100009, at: 7, words: "blue kettle" },
      { page: "code" },
    ];
    for (const route of routes) expect(parseRoute(formatRoute(route))).toEqual(route);
  });

  it("reads a ticket as it is written, and takes what is none for the list", () => {
    expect(parseRoute("#ticket=%23100%20009")).toMatchObject({ page: "chat", ticket: 100009 });
    for (const odd of ["#ticket=", "#ticket=x", "#ticket=1e9", `#ticket=${"9".repeat(400)}`, "#", "", "#%"]) {
      expect(parseRoute(odd)).toMatchObject({ page: "list" });
    }
  });

  it("gives the pass away once, and keeps the rest", () => {
    expect(passOfFragment("#pass=p_1&ticket=100009")).toBe("p_1");
    expect(withoutPass("#pass=p_1&ticket=100009")).toBe("#ticket=100009");
    expect(passOfFragment("#ticket=100009")).toBe("");
  });
});
