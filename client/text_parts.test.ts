import { describe, expect, it } from "vitest";
import { textParts } from "./text_parts";

const told = (text: string, hits: { start: number; end: number }[] = []) =>
  textParts(text, hits).map((part) => (part.masked ? `[${part.text}]` : "") + (part.hit >= 0 ? `<${part.text}>` : "") || part.text);

describe("textParts", () => {
  it("leaves plain text whole", () => {
    expect(told("Where is it?")).toEqual(["Where is it?"]);
    expect(told("")).toEqual([]);
  });

  it("tells the masked part from the words around it", () => {
    expect(told("My card •••• 1111, please")).toEqual(["My card ", "[•••• 1111]", ", please"]);
    expect(told("•••• •••• •••• 1111")).toEqual(["[•••• •••• •••• 1111]"]);
  });

  it("takes a single bullet for a list", () => {
    expect(told("• one • two")).toEqual(["• one • two"]);
  });

  it("knows the address of a link, also where a hit cuts it", () => {
    const parts = textParts("at https://a.example/b.", [{ start: 13, end: 20 }]);
    expect(parts.map(({ text, link }) => [text, link])).toEqual([
      ["at ", undefined],
      ["https://a.", "https://a.example/b"],
      ["example", "https://a.example/b"],
      ["/b", "https://a.example/b"],
      [".", undefined],
    ]);
  });

  it("takes what stays of letters with it, and a hidden date", () => {
    expect(told("NINO •••• 456C and •••• 1111 ••/•• OK")).toEqual(["NINO ", "[•••• 456C]", " and ", "[•••• 1111 ••/••]", " OK"]);
  });

  it("numbers the hits, and keeps one that reaches into a masked part", () => {
    expect(told("a kettle", [{ start: 2, end: 8 }])).toEqual(["a ", "<kettle>"]);
    expect(textParts("x •••• 1111", [{ start: 0, end: 4 }]).map((part) => part.hit)).toEqual([0, 0, -1]);
  });
});
