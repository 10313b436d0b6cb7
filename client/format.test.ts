import { describe, expect, it } from "vitest";
import { dayLabel, dayTime, duration, formatTicket, plural, relativeTime, shortTime, stopwatch } from "./format";
import { checkDigitFits, parseTicket } from "./ticket";

const NOW = new Date(2026, 10, 22, 14, 2).getTime();
const HOUR = 3_600_000;

describe("times", () => {
  it("names days as people do", () => {
    expect(dayLabel(NOW - HOUR, NOW, "en")).toBe("today");
    expect(dayLabel(NOW - 24 * HOUR, NOW, "en")).toBe("yesterday");
    expect(dayLabel(NOW - 100 * HOUR, NOW, "en-GB")).toMatch(/^Wednesday,? 18 November$/);
    expect(dayLabel(NOW - 400 * 24 * HOUR, NOW, "en")).toContain("2025");
  });

  it("keeps a time on one line", () => {
    expect(shortTime(NOW, "en-US")).toBe("2:02\u00a0PM");
    expect(dayTime(NOW, "en-US")).toBe("Nov 22, 2026, 2:02\u00a0PM");
    expect(shortTime(NOW, "en-GB")).toBe("14:02");
  });

  it("says how long ago something was", () => {
    expect(relativeTime(NOW - 20_000, NOW, "en")).toBe("now");
    expect(relativeTime(NOW - 3 * 60_000, NOW, "en")).toBe("3 minutes ago");
    expect(relativeTime(NOW + 2 * HOUR, NOW, "en")).toBe("in 2 hours");
    expect(relativeTime(NOW - 30 * 24 * HOUR, NOW, "en")).toBe("Oct 23, 2026");
  });

  it("rounds a wait up", () => {
    expect(duration(11.2 * 60_000, "en")).toBe("12 minutes");
    expect(duration(800, "en")).toBe("1 second");
  });

  it("counts a wait like a stopwatch", () => {
    expect(stopwatch(252_000)).toBe("04:12");
    expect(stopwatch(HOUR + 252_000)).toBe("1:04:12");
    expect(stopwatch(-5)).toBe("00:00");
  });

  it("picks the plural of the language", () => {
    expect(plural(1, { one: "# message", other: "# messages" }, "en")).toBe("1 message");
    expect(plural(1_200, { one: "# message", other: "# messages" }, "en")).toBe("1,200 messages");
  });
});

describe("ticket numbers", () => {
  // The same vectors as the server's: the counter 10000 and 10001 with their check digits, and Damm's own example.
  it("are checked by their last digit", () => {
    expect(checkDigitFits("100009")).toBe(true);
    expect(checkDigitFits("100014")).toBe(true);
    expect(checkDigitFits("5724")).toBe(true);
    expect(checkDigitFits("100008")).toBe(false);
    expect(checkDigitFits("010009")).toBe(false);
  });

  it("are read as people type them", () => {
    expect(parseTicket(" #100 009 ")).toBe(100_009);
    expect(parseTicket("100-009")).toBe(100_009);
    expect(parseTicket("100090")).toBeUndefined();
    expect(parseTicket("hello")).toBeUndefined();
    expect(formatTicket(100_009)).toBe("#100009");
  });
});
