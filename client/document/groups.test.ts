import { describe, expect, it } from "vitest";
import type { Entry } from "../protocol";
import { groupByDay } from "./groups";

const NOON = new Date(2026, 10, 22, 12).getTime();
let seq = 0;

function entry(more: Partial<Entry> & { kind?: string }): Entry {
  seq += 1;
  return { epoch: 1, seq, prev: seq - 1, at: NOON, entry_id: `e${seq}`, audience: "all", ticket: 100009, role: "customer", participant: "p1", kind: "message", text: "Hi", ...more } as Entry;
}

const shape = (entries: Entry[]) => groupByDay(entries).map((day) => day.passages.map((one) => (one.kind === "speech" ? one.entries.length : one.text)));

describe("groupByDay", () => {
  it("puts together what one person says in one go", () => {
    expect(shape([entry({}), entry({ at: NOON + 1000 }), entry({ participant: "p2" })])).toEqual([[2, 1]]);
  });

  it("starts again after a pause, after a change and for a note", () => {
    expect(shape([entry({}), entry({ at: NOON + 600_000 })])).toEqual([[1, 1]]);
    const assigned = entry({ kind: "assigned", role: "agent", data: { owner: "p2", name: "Ann", gen: 1 } });
    expect(shape([entry({}), assigned, entry({})])).toEqual([[1, "Ann took the chat", 1]]);
    expect(shape([entry({}), entry({ kind: "note" })])).toEqual([[1, 1]]);
  });

  it("begins a day at midnight, even within a speech", () => {
    const night = new Date(2026, 10, 22, 23, 59, 59).getTime();
    expect(groupByDay([entry({ at: night }), entry({ at: night + 2000 })])).toHaveLength(2);
  });

  it("leaves out kinds that it does not know", () => {
    expect(groupByDay([entry({ kind: "teleported" as never })])).toEqual([]);
  });
});
