/** The widget masks as the server does: the golden cases of both, and what only TypeScript can get wrong. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Masker } from "./mask";

interface Case {
  text: string;
  keep: string[];
  masked: string;
  kinds: string[];
}

const cases: Case[] = JSON.parse(readFileSync(new URL("../../tests/fixtures/masking.json", import.meta.url), "utf8"));

describe("masking", () => {
  it.each(cases)("masks as the server does: $text", ({ text, keep, masked, kinds }) => {
    const made = new Masker().mask(text, keep);
    expect(made.text).toBe(masked);
    expect([...made.kinds].sort()).toEqual(kinds);
    expect(new Masker().mask(masked, keep).text).toBe(masked);
  });

  it("never keeps a card", () => {
    expect(new Masker().mask("4111 1111 1111 1111", ["card"]).text).toBe("•••• 1111");
  });

  it("masks what the site masks, and not what it does not", () => {
    const masker = new Masker({ off: ["pin"], patterns: { staff: "EMP-\\d{6}" } });
    expect(masker.mask("pin 1234, emp-１23456, XEMP-123456")).toEqual({ text: "pin 1234, •••• 3456, XEMP-123456", kinds: ["staff"] });
    expect(masker.mask("EMP-123456", ["staff"]).text).toBe("EMP-123456");
  });

  it("knows its place behind characters of two units", () => {
    expect(new Masker().mask("👍 my pin is 1234 👍").text).toBe("👍 my pin is •••• 👍");
  });

  it.each(["4", "4 ", "4111 ", "password is ", "password:", "is my password ", "exp ", "4111 x ", "my pin is 1 ", "'", "DE89", "4111 1111 and ", "\u200b1"])(
    "takes time in proportion to the text: %j",
    (piece) => {
      const takes = (size: number): number => {
        const text = piece.repeat(size / piece.length);
        const begun = process.cpuUsage();
        new Masker().mask(text);
        const { user, system } = process.cpuUsage(begun);
        return user + system;
      };
      // 16 times the text, in which up to four rounds may be needed instead of one; what is quadratic takes 256 times.
      const inProportion = () => takes(64_000) < 2 * 4 * 16 * Math.min(takes(4_000), takes(4_000), takes(4_000));
      expect(Array.from({ length: 5 }).some(inProportion)).toBe(true);
    },
  );
});
