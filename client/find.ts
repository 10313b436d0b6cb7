/** Finds what somebody types in a text, without regard to case and accents. */

export interface Range {
  readonly start: number;
  readonly end: number;
}

export function findAll(text: string, wanted: string): Range[] {
  const needle = fold(wanted.trim()).folded;
  if (needle === "") return [];
  const { folded, places } = fold(text);
  const found: Range[] = [];
  for (let at = folded.indexOf(needle); at !== -1; at = folded.indexOf(needle, at + needle.length)) {
    found.push({ start: places[at] ?? 0, end: places[at + needle.length] ?? text.length });
  }
  return found;
}

/** The places of several words, in order; where two of them meet or overlap, one place. */
export function findWords(text: string, words: readonly string[]): Range[] {
  const found = words.flatMap((word) => findAll(text, word)).sort((a, b) => a.start - b.start || a.end - b.end);
  const merged: Range[] = [];
  for (const range of found) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    else merged.push(range);
  }
  return merged;
}

/** Lower case without accents, and for each of its characters (and the end) the place in `text` that it came from. */
function fold(text: string): { folded: string; places: number[] } {
  let folded = "";
  const places: number[] = [];
  let at = 0;
  for (const character of text) {
    const plain = character.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    for (let unit = 0; unit < plain.length; unit += 1) places.push(at);
    folded += plain;
    at += character.length;
  }
  places.push(text.length);
  return { folded, places };
}
