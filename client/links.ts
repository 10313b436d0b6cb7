/** Finds the web addresses in a text. What is shown stays the text itself; only the address as it stands there is linked. */

import type { Range } from "./find";

/** Quotes, brackets of markup, masks and characters that steer the direction of writing end an address. */
const ADDRESS = /https?:\/\/[^\s<>"'`«»“”„‘’{}|\\^•\p{Cc}\p{Cf}]+/giu;
const SENTENCE_END = /[.,;:!?…*_~。、，！？；：]$/u;
const BRACKETS: Readonly<Record<string, string>> = { ")": "(", "]": "[" };

export function linkPlaces(text: string): Range[] {
  const places: Range[] = [];
  for (const match of text.matchAll(ADDRESS)) {
    // An address that was masked leads elsewhere than it did.
    if (text[match.index + match[0].length] === "•") continue;
    const address = withoutTail(match[0]);
    if (isSafe(address)) places.push({ start: match.index, end: match.index + address.length });
  }
  return places;
}

/** The full stop of a sentence is not part of the address in it, nor is a bracket that was opened before it. */
function withoutTail(address: string): string {
  const extra: Record<string, number> = {};
  for (const [closing, opening] of Object.entries(BRACKETS)) extra[closing] = address.split(closing).length - address.split(opening).length;
  let end = address.length;
  for (; end > 0; end--) {
    const last = address[end - 1] ?? "";
    const more = extra[last];
    if (more === undefined ? !SENTENCE_END.test(last) : more <= 0) break;
    if (more !== undefined) extra[last] = more - 1;
  }
  return address.slice(0, end);
}

/** `https://bank.example@evil.example/` is read as the one and leads to the other. */
function isSafe(address: string): boolean {
  try {
    const { protocol, username, password } = new URL(address);
    return (protocol === "https:" || protocol === "http:") && username === "" && password === "";
  } catch {
    return false;
  }
}
