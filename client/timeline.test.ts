// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { newChat, type ChatState } from "./chat_state";
import type { Entry } from "./protocol";
import { timeline } from "./timeline";

const START = new Date(2026, 10, 22, 14, 0).getTime();

function chat(...entries: [who: string, minute: number, kind?: string][]): ChatState {
  const log = entries.map(
    ([participant, minute, kind = "message"], index) =>
      ({ kind, participant, at: START + minute * 60_000, seq: index + 1, entry_id: `e${index + 1}`, text: "…", data: {} }) as unknown as Entry,
  );
  return { ...newChat(1, "customer", "d"), log, info: { me: "cu", participants: [] } as never };
}

const rows = (state: ChatState, after?: number) =>
  timeline(state, after).map((row) => (row.type === "message" ? `${row.own ? "own" : "other"}${row.first ? " first" : ""}${row.last ? " last" : ""}` : row.type));

describe("the rows of a chat", () => {
  it("group what one person wrote within a minute", () => {
    expect(rows(chat(["cu", 0], ["cu", 0.5], ["cu", 1.2], ["ag", 1.3]))).toEqual(["day", "own first", "own last", "own first last", "other first last"]);
  });

  it("start a new group after a change and on a new day", () => {
    expect(rows(chat(["ag", 0], ["ag", 0.1, "assigned"], ["ag", 0.2], ["ag", 1_440]))).toEqual(["day", "other first last", "change", "other first last", "day", "other first last"]);
  });

  it("show nothing for a kind nobody knows", () => {
    expect(rows(chat(["ag", 0, "sparkle"], ["ag", 0.1]))).toEqual(["day", "other first last"]);
  });

  it("have one line before what is new", () => {
    expect(rows(chat(["cu", 0], ["ag", 0.1], ["ag", 0.2]), 2)).toEqual(["day", "own first last", "other first last", "unread", "other first last"]);
    expect(rows(chat(["cu", 0], ["ag", 0.1]), 2)).not.toContain("unread");
  });
});
