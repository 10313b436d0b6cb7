import { describe, expect, it } from "vitest";
import type { Result } from "./results";
import { foundWords, hasFacet, NO_SEARCH, searchAfter, withFacet } from "./state";

const result = (ticket: number) => ({ ticket, snippet: [] }) as unknown as Result;
const answered = (q: string, tickets: number[], more = false, next?: string) =>
  ({ type: "answered", q, more, answer: { results: tickets.map(result), ...(next === undefined ? {} : { next }) } }) as const;

describe("searchAfter", () => {
  const one = searchAfter(NO_SEARCH, answered("kettle", [1, 2], false, "c2"));

  it("keeps the old results while the next search is on its way", () => {
    expect(searchAfter(one, { type: "asked", more: false })).toMatchObject({ phase: "again", results: one.results });
  });

  it("shows a chat once that stands on two pages", () => {
    const two = searchAfter(one, answered("kettle", [2, 3], true));
    expect(two.results.map(({ ticket }) => ticket)).toEqual([1, 2, 3]);
    expect(two.next).toBeNull();
  });

  it("takes the new results for the old ones", () => {
    expect(searchAfter(one, answered("mug", [2])).results).toHaveLength(1);
  });
});

describe("foundWords", () => {
  it("are the matches of the snippet, each once", () => {
    const snippet = [
      { text: "The ", match: false },
      { text: "Kettle", match: true },
      { text: " of the ", match: false },
      { text: "kettle", match: true },
      { text: "on its way", match: true },
    ];
    expect(foundWords({ snippet } as unknown as Result)).toBe("kettle on its way");
  });
});

describe("withFacet", () => {
  it("narrows the query down, and takes the filter out again", () => {
    const narrow = withFacet("kettle ", "agent", "Ann Lee");
    expect(narrow).toBe('kettle agent:"Ann Lee"');
    expect(hasFacet(narrow, "agent", "Ann Lee")).toBe(true);
    expect(hasFacet(narrow, "topic", "Ann Lee")).toBe(false);
    expect(withFacet(`${narrow} blue`, "agent", "Ann Lee")).toBe("kettle blue");
  });

  it("names a month as a day, and keeps a quote from ending the filter", () => {
    expect(withFacet("", "month", "2026-03")).toBe("on:2026-03");
    expect(withFacet("", "topic", 'The "old" shop')).toBe('topic:"The old shop"');
  });
});

describe("facets and what may have been meant", () => {
  const facets = { chats: 1, more: false, topic: [{ value: "Returns", chats: 1 }], agent: [], month: [] };
  const first = searchAfter(NO_SEARCH, { type: "answered", q: "ketle", more: false, answer: { results: [result(1)], next: "c2", did_you_mean: "kettle", facets } });

  it("belong to the query, so they stay while its next page comes", () => {
    expect(searchAfter(first, answered("ketle", [2], true))).toMatchObject({ meant: "kettle", facets });
    expect(searchAfter(first, answered("mug", [2]))).toMatchObject({ meant: null, facets: null });
  });
});
