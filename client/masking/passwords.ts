/** Passwords; see transcripts/masking/passwords.py. */

import type { Folded, Place } from "./folding";
import { type Found, matchAt, trimEnd } from "./found";
import { RULES } from "./table";

const TABLE = RULES.password;
const ONLY_MARKED = new Set(TABLE.only_marked);
const STOPS = new Set(TABLE.stops);
const any = (words: readonly string[]): string => `(?:${words.join("|")})`;

const SAID = new RegExp(`(?<![a-z0-9])(${any(TABLE.words)})(?![a-z0-9])`, "g");
const SAID_ONLY = new RegExp(`^${any(TABLE.words)}$`);
const MARK = new RegExp(
  `(?:\\s{1,3}${any(TABLE.for)}(?:\\s{1,3}[a-z']{1,20}){1,3}?)?(?:\\s{0,3}(?<strong>[:=]|-?-?>|=>)\\s{0,3}|\\s{1,3}(?<is>${any(TABLE.is)})\\s{0,2}:?\\s{1,3})|\\s{1,3}`,
  "y",
);
const QUOTED = /(["'`])([^"'`\n•]{1,64})\1/y;
const VALUE = /[(\[]?([^\s•]{1,64})/y;
const BEFORE = new RegExp(
  `(?<!\\S)([^\\s•]{4,64})\\s{1,3}${any(TABLE.is)}\\s{1,3}(?:${any(TABLE.my)}\\s{1,3})?(?:${any(TABLE.which)}\\s{1,3})?$`,
);
const SHORTEST = 3;
const LOOK_BACK = 112;
const TAIL = ".,;:?)]\"'";
const WORD = /^\p{L}+(?:['-]\p{L}+)*$/u;
const GOES_ON = new RegExp(`[ \\t]+(?!${any(TABLE.goes_on)}(?![a-z]))[^\\s•]`, "y");
const SPECIAL = /[\d!@#$%^&*_=+?~<>|\\]/;
const KNOWN =
  /^(?:\S+@\S+\.\S+|https?:\S*|www\.\S*|\d{1,4}[./-]\d{1,2}(?:[./-]\d{1,4})?|\d+[.,:]\d+\S{0,2}|\d+(?:st|nd|rd|th|x)|#\S*)$/;

export const mayHold = (text: string): boolean => TABLE.hints.some((hint) => text.includes(hint));

export function* findPasswords(folded: Folded): Generator<Found> {
  const { text } = folded;
  let done = 0;
  for (const said of text.matchAll(SAID)) {
    if (said.index < done) continue;
    const stop = said.index + said[0].length;
    const place = valueAfter(folded, said[1]!, stop) ?? valueBefore(text, said.index, stop);
    if (!place) continue;
    done = Math.max(done, place[1]);
    yield { start: place[0], end: place[1], kind: "password", shown: "••••••" };
  }
}

function valueAfter(folded: Folded, word: string, from: number): Place | undefined {
  const { text } = folded;
  const mark = matchAt(MARK, text, from);
  const { strong, is } = mark?.groups ?? {};
  if (!mark || (ONLY_MARKED.has(word) && !strong && !is)) return undefined;
  const place = from + mark[0].length;
  const quoted = strong || is ? matchAt(QUOTED, text, place) : null;
  if (quoted) return [place + 1, place + 1 + quoted[2]!.length];
  const value = matchAt(VALUE, text, place);
  if (!value) return undefined;
  const start = place + value[0].length - value[1]!.length;
  const secret = trimEnd(value[1]!, TAIL);
  const end = start + secret.length;
  const said = trimEnd(secret, `!${TAIL}`);
  if (secret.length < SHORTEST || STOPS.has(said) || SAID_ONLY.test(said) || !/[\p{L}\p{N}]/u.test(said)) return undefined;
  if (strong || (is && !WORD.test(said))) return [start, end];
  if (is) return matchAt(GOES_ON, text, end) ? undefined : [start, end];
  const shouted = secret.endsWith("!") && /^\p{Lu}/u.test(folded.written(start, start + 1));
  return shouted || looksSecret(said) ? [start, end] : undefined;
}

function valueBefore(text: string, end: number, stop: number): Place | undefined {
  if (matchAt(GOES_ON, text, stop)) return undefined;
  const look = Math.max(0, end - LOOK_BACK);
  const before = BEFORE.exec(text.slice(look, end));
  if (!before || !looksSecret(trimEnd(before[1]!, TAIL))) return undefined;
  return [look + before.index, look + before.index + before[1]!.length];
}

const looksSecret = (word: string): boolean => word.length >= 4 && SPECIAL.test(word) && !KNOWN.test(word);
