import { describe, expect, it } from "vitest";
import type { Result } from "../../client/search/results";
import { earlierQueries, mergeEarlier } from "./earlier";

const result = (ticket: number, opened_at: number) => ({ ticket, opened_at }) as Result;

describe("earlier chats", () => {
  it("are looked for by order, and by name only when there is a verified one", () => {
    expect(earlierQueries({ ticket: 1, order: "112-7788231", name: undefined })).toEqual(['order:"112-7788231"']);
    expect(earlierQueries({ ticket: 1, order: undefined, name: 'Ann "A" Lee' })).toEqual(['customer:"Ann  A  Lee"']);
    expect(earlierQueries({ ticket: 1, order: undefined, name: undefined })).toEqual([]);
  });

  it("are each shown once, the last first, without this one", () => {
    expect(mergeEarlier([result(1, 10), result(2, 30), result(1, 10), result(3, 20)], 3).map(({ ticket }) => ticket)).toEqual([2, 1]);
  });
});
