import { describe, expect, it } from "vitest";
import type { ChatInfo } from "../../client/protocol";
import { standingOf } from "./standing";

const info = (more: Partial<ChatInfo>) => ({ me: "ann", state: "active", ...more }) as ChatInfo;

describe("standingOf", () => {
  it("is mine when I am the owner, whatever the list says", () => {
    expect(standingOf(info({ owner: { participant: "ann", name: "Ann" } }), false)).toBe("mine");
  });

  it("is another agent's when the owner is another, even while my list still has it", () => {
    expect(standingOf(info({ owner: { participant: "bob", name: "Bob" } }), true)).toBe("other");
  });

  it("is closed for everybody", () => {
    expect(standingOf(info({ state: "closed", owner: { participant: "ann", name: "Ann" } }), true)).toBe("closed");
    expect(standingOf(info({ state: "closing" }), true)).toBe("closed");
  });
});
