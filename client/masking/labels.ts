/** What the words beside a number say that it is; see transcripts/masking/labels.py. */

import { matchAt, trimEnd } from "./found";
import { ABBREVIATIONS, BEFORE_ALONE, COPULAS, FILLERS, type Label, LABELS_BY_PHRASE, LABELS_BY_PREFIX, LAST_WORDS, LONGEST_PHRASE, PAYMENTS } from "./table";

const NEAR = 64;
const FILLERS_BETWEEN = 6;
const WORDS_AFTER = 6;
const TOKEN = /[0-9]*[a-z][a-z0-9]*|[.!?;](?=\s)|[\n{}•]|[0-9]+/g;
const NEXT_WORD = /[ =:-]{0,3}([a-z]+)/y;

type Labels = readonly Label[];
const NONE: Labels = [];

const tokensOf = (text: string): string[] => text.match(TOKEN) ?? [];
const isWord = (token: string): boolean => /^[a-z0-9]/.test(token);

export function labelsBefore(text: string, start: number): Labels {
  const before = text.slice(Math.max(0, start - NEAR), start).replace(/(?<![a-z0-9])[a-z]-$/, "");
  const labels = labelsAtEnd(before);
  if (labels.length) return labels;
  return trimEnd(before, " ").endsWith("#") ? LABELS_BY_PREFIX.get("order")! : NONE;
}

function labelsAtEnd(before: string): Labels {
  // What is glued to the number but no word of ours (`straße12`) ends the search, as it does on the server.
  const glued = trimEnd(before, " :#=-.,(\"'");
  const word = glued.slice(glued.lastIndexOf(" ") + 1);
  if (/^\p{L}+$/u.test(word) && !LAST_WORDS.has(word) && !prefixOf(word)) return NONE;
  const tokens = tokensOf(before);
  let neutral = NONE;
  for (let end = tokens.length, steps = 0; end > 0 && steps < FILLERS_BETWEEN; end--, steps++) {
    const last = tokens[end - 1]!;
    if (last === "." && ABBREVIATIONS.has(tokens[end - 2] ?? "")) continue;
    if (!LAST_WORDS.has(last) && !prefixOf(last)) break;
    const labels = phrase(tokens, end);
    const nearest = labels[0];
    if (nearest?.kept) return neutral.length ? neutral : labels;
    if (nearest?.kind) return labels;
    if (nearest) neutral = labels;
    else if (!FILLERS.has(last)) break;
  }
  return neutral;
}

function phrase(tokens: readonly string[], end: number): Labels {
  for (let length = Math.min(LONGEST_PHRASE, end); length > 0; length--) {
    const labels = LABELS_BY_PHRASE.get(tokens.slice(end - length, end).join(" "));
    if (!labels) continue;
    const word = tokens[end - length - 1];
    return labels[0]!.alone && word !== undefined && !BEFORE_ALONE.has(word) && /^[a-z]+$/.test(word) ? NONE : labels;
  }
  return LABELS_BY_PREFIX.get(prefixOf(tokens[end - 1]!)) ?? NONE;
}

function prefixOf(word: string): string {
  for (const prefix of LABELS_BY_PREFIX.keys()) if (word.startsWith(prefix)) return prefix;
  return "";
}

export function labelsAfter(text: string, end: number): Labels {
  const next = matchAt(NEXT_WORD, text, end);
  if (!next || !COPULAS.has(next[1]!)) return NONE;
  const tokens = tokensOf(text.slice(end, end + NEAR)).slice(0, WORDS_AFTER + 1);
  for (let last = 2; last <= tokens.length; last++) {
    if (!isWord(tokens[last - 1]!)) return NONE;
    const labels = phrase(tokens.slice(1, last), last - 1);
    if (!labels.length) continue;
    const longer = last < tokens.length ? phrase(tokens.slice(1, last + 1), last) : NONE;
    return longer.length ? longer : labels;
  }
  return NONE;
}

export function farLabels(text: string, start: number): Labels {
  const tokens = tokensOf(text.slice(Math.max(0, start - NEAR), start));
  const found: Label[] = [];
  for (let end = tokens.length; end > 0; end--) {
    const token = tokens[end - 1]!;
    if (!isWord(token) && !ABBREVIATIONS.has(tokens[end - 2] ?? "")) break;
    if (PAYMENTS.has(token)) return NONE;
    found.push(...phrase(tokens, end).filter((label) => label.far));
  }
  return found;
}
