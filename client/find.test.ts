import { describe, expect, it } from "vitest";
import { findAll, findWords } from "./find";

const cut = (text: string, wanted: string) => findAll(text, wanted).map(({ start, end }) => text.slice(start, end));

describe("findAll", () => {
  it("finds every place, in any case", () => {
    expect(cut("Kettle, kettle and KETTLE", "kettle")).toEqual(["Kettle", "kettle", "KETTLE"]);
  });

  it("looks through accents, composed or not, on both sides", () => {
    expect(cut("un café crème", "CAFE CREME")).toEqual(["café crème"]);
    expect(cut("un cafe\u0301 noir", "café")).toEqual(["cafe\u0301"]);
    expect(cut("resume", "résumé")).toEqual(["resume"]);
  });

  it("keeps its place behind characters that fold to more or fewer", () => {
    expect(cut("ﬁne 😀 İstanbul order", "order")).toEqual(["order"]);
    expect(cut("ﬁne", "fi")).toEqual(["ﬁ"]);
  });

  it("finds nothing for nothing", () => {
    expect(findAll("text", "   ")).toEqual([]);
    expect(findAll("", "text")).toEqual([]);
  });

  it("takes what is typed as text, not as a pattern", () => {
    expect(cut("a.c abc (a.c)", "a.c")).toEqual(["a.c", "a.c"]);
  });
});

describe("findWords", () => {
  it("joins places that overlap", () => {
    expect(findWords("returned returns", ["return", "returned", "turns"])).toEqual([
      { start: 0, end: 8 },
      { start: 9, end: 16 },
    ]);
  });
});
