import { describe, expect, it } from "vitest";
import type { ChatState } from "../../client/chat_state";
import type { ChatInfo } from "../../client/protocol";
import { lostByMe, standingOf } from "./standing";

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

describe("lostByMe", () => {
  const assigned = (owner: string) => ({ kind: "assigned", data: { owner } });
  const released = (participant: string) => ({ kind: "released", participant });
  const state = (...log: object[]) => ({ info: info({}), log }) as unknown as ChatState;

  it("says that I was away for too long, until I have the chat again", () => {
    expect(lostByMe(state(assigned("ann")))).toBe(false);
    expect(lostByMe(state(assigned("ann"), released("ann")))).toBe(true);
    expect(lostByMe(state(assigned("ann"), released("ann"), assigned("bob"))), "somebody else took it").toBe(true);
    expect(lostByMe(state(assigned("ann"), released("ann"), assigned("bob"), released("bob"), assigned("ann")))).toBe(false);
    expect(lostByMe(state(assigned("bob"), released("bob")))).toBe(false);
  });
});
