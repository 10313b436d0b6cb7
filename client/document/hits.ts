/** The hits of a search in a whole transcript, in the order of reading, with a place among them. */

import { findAll, findWords, type Range } from "../find";
import type { Entry } from "../protocol";

export interface Hits {
  readonly total: number;
  readonly places: ReadonlyMap<number, readonly Range[]>;
}

export interface HitPlace {
  readonly seq: number;
  readonly index: number;
}

export const NO_HITS: Hits = { total: 0, places: new Map() };

export function hitsOf(entries: readonly Entry[], query: string): Hits {
  return collect(entries, (text) => findAll(text, query));
}

export function hitsOfWords(entries: readonly Entry[], words: readonly string[]): Hits {
  return collect(entries, (text) => findWords(text, words));
}

/** The hit with this number, counted from 0 over the whole transcript. */
export function placeOf(hits: Hits, number: number): HitPlace | null {
  let before = 0;
  for (const [seq, ranges] of hits.places) {
    if (number < before + ranges.length) return { seq, index: number - before };
    before += ranges.length;
  }
  return null;
}

function collect(entries: readonly Entry[], find: (text: string) => Range[]): Hits {
  const places = new Map<number, readonly Range[]>();
  let total = 0;
  for (const { seq, text, kind } of entries) {
    if (text === undefined || (kind !== "message" && kind !== "note")) continue;
    const ranges = find(text);
    if (ranges.length === 0) continue;
    places.set(seq, ranges);
    total += ranges.length;
  }
  return { total, places };
}
