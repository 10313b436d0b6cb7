import { describe, expect, it } from "vitest";
import type { Entry } from "../protocol";
import { hitsOf, hitsOfWords, placeOf } from "./hits";

const entry = (seq: number, text?: string, kind = "message") => ({ seq, text, kind }) as Entry;
const entries = [entry(1, undefined, "opened"), entry(2, "A kettle for a kettle"), entry(3, "Nothing"), entry(4, "KETTLE", "note")];

describe("hits", () => {
  it("are counted over the whole transcript", () => {
    expect(hitsOf(entries, "kettle").total).toBe(3);
    expect(hitsOfWords(entries, ["kettle", "nothing"]).total).toBe(4);
  });

  it("have a place each, in the order of reading", () => {
    const hits = hitsOf(entries, "kettle");
    expect([0, 1, 2, 3].map((number) => placeOf(hits, number))).toEqual([{ seq: 2, index: 0 }, { seq: 2, index: 1 }, { seq: 4, index: 0 }, null]);
  });
});
