/** Orders a transcript for reading: by day, and what one person says in one go together. */

import type { Entry } from "../protocol";
import { changeText } from "./texts";

export type Passage =
  | { readonly kind: "speech"; readonly key: string; readonly first: Entry; readonly note: boolean; readonly entries: readonly Entry[] }
  | { readonly kind: "change"; readonly key: string; readonly entry: Entry; readonly text: string };

export interface Day {
  readonly key: string;
  readonly at: number;
  readonly passages: readonly Passage[];
}

/** A pause after which the same speaker gets a new heading. */
const PAUSE_MS = 5 * 60_000;

export function groupByDay(entries: readonly Entry[]): Day[] {
  const days: { key: string; at: number; passages: Passage[] }[] = [];
  for (const entry of entries) {
    const passage = passageOf(entry);
    if (passage === null) continue;
    const key = dayKey(entry.at);
    let day = days.at(-1);
    if (day?.key !== key) days.push((day = { key, at: entry.at, passages: [] }));
    const last = day.passages.at(-1);
    if (last?.kind === "speech" && passage.kind === "speech" && goesOn(last, entry)) {
      day.passages[day.passages.length - 1] = { ...last, entries: [...last.entries, entry] };
    } else day.passages.push(passage);
  }
  return days;
}

function passageOf(entry: Entry): Passage | null {
  const key = `${entry.epoch}-${entry.seq}`;
  if (entry.kind === "message" || entry.kind === "note") {
    // What the system says is a change, not the speech of a person.
    if (entry.role === "system") return { kind: "change", key, entry, text: entry.text ?? "" };
    return { kind: "speech", key, first: entry, note: entry.kind === "note", entries: [entry] };
  }
  const text = changeText(entry);
  return text === null ? null : { kind: "change", key, entry, text };
}

function goesOn(last: Passage & { kind: "speech" }, entry: Entry): boolean {
  const before = last.entries.at(-1) ?? last.first;
  return last.first.participant === entry.participant && last.first.kind === entry.kind && entry.at - before.at < PAUSE_MS;
}

function dayKey(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
