import { describe, expect, it } from "vitest";
import { step } from "./watched";

const append = (state: string, event: { version: number; text: string }) => state + event.text;

describe("step", () => {
  const watched = { version: 3, state: "a" };

  it("applies the event that follows the snapshot", () => {
    expect(step(watched, { version: 4, text: "b" }, append)).toEqual({ kind: "applied", watched: { version: 4, state: "ab" } });
  });

  it("leaves out what the snapshot contains", () => {
    expect(step(watched, { version: 3, text: "b" }, append)).toEqual({ kind: "known" });
  });

  it("says when an event is missing", () => {
    expect(step(watched, { version: 5, text: "b" }, append)).toEqual({ kind: "hole" });
  });
});
