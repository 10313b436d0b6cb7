import { describe, expect, it } from "vitest";
import type { Result } from "./calls";
import { foundWords, NO_SEARCH, searchAfter } from "./state";

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
