/** Expiry dates and security codes beside a card number; see transcripts/masking/beside_cards.py. */

import type { Place } from "./folding";
import { type Found, matchAt } from "./found";
import { RULES } from "./table";

const GAP = "[\\s!-/:-@\\[-`{-~]";
const WORDS = `(?:${RULES.beside.words.join("|")})`;
const LEAD = `${GAP}{0,4}(?:${WORDS}${GAP}{1,3}){0,6}`;
const EXPIRY = "(?:0?[1-9]|1[0-2])\\s?[/.\\-]\\s?(?:20)?[2-4]\\d(?![\\d./])|(?:0[1-9]|1[0-2])[2-4]\\d(?!\\d)";
const EXPIRY_AFTER = new RegExp(`${LEAD}(${EXPIRY})`, "dy");
const CODE_AFTER = new RegExp(`${LEAD}(\\d{3,4})(?![\\da-z]|[.,:/\\-]\\d|\\s?[$€£%])`, "dy");
const FOLLOWS = / ?[a-z]|[ -]?\d{3}/y;
const EXPIRY_BEFORE = new RegExp(
  `(?<![\\d./])((?:0?[1-9]|1[0-2])[/.\\-](?:20)?[2-4]\\d)${GAP}{1,4}(?:${WORDS}${GAP}{1,3}|\\d{3,4}${GAP}{1,3}){0,4}$`,
  "d",
);
const EXPIRY_SAID = new RegExp(
  `(?:${RULES.beside.expiry.join("|")})(?:${GAP}{1,3}(?:${RULES.beside.until.join("|")})){0,3}${GAP}{0,3}(${EXPIRY})`,
  "dg",
);
const ITEMS = 3;
const LOOK = 48;

const placed = (match: RegExpExecArray | RegExpMatchArray, shown: string, offset = 0): Found => {
  const [start, end] = match.indices![1]!;
  return { start: offset + start, end: offset + end, kind: "card", shown };
};

export function* beside(text: string, cards: readonly Place[]): Generator<Found> {
  for (const [start, end] of cards) {
    yield* after(text, end);
    const look = Math.max(0, start - LOOK);
    const before = EXPIRY_BEFORE.exec(text.slice(look, start));
    if (before) yield placed(before, "••/••", look);
  }
  for (const said of text.matchAll(EXPIRY_SAID)) yield placed(said, "••/••");
}

function* after(text: string, place: number): Generator<Found> {
  for (let item = 0; item < ITEMS; item++) {
    const expiry = matchAt(EXPIRY_AFTER, text, place);
    const code = expiry ? null : matchAt(CODE_AFTER, text, place);
    const match = expiry ?? code;
    if (!match) return;
    const end = match.index + match[0].length;
    if (code && item === 0 && matchAt(FOLLOWS, text, end)) return;
    yield placed(match, expiry ? "••/••" : "•••");
    place = end;
  }
}
