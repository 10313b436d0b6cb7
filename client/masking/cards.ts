/** Payment cards; see transcripts/masking/cards.py, which says why. */

import { beside } from "./beside_cards";
import { isEan13, passesLuhn } from "./checks";
import type { Folded, Place } from "./folding";
import { type Found, lastFour } from "./found";
import { farLabels, labelsAfter, labelsBefore } from "./labels";
import { RULES } from "./table";

const SHORTEST = 13;
const USUAL_FIRST = [16, 15, 14, 19, 18, 17, 13];
const BETWEEN = /^[\s!-/:-@[-`{-~]{1,3}$/;
const WORDS_BETWEEN = /^[^0-9•]{1,24}$/;
const APART = /[a-z]|[^]{4}/;
const IN_WORDS = ["4,4,4,4", "8,8", "4,6,5", "4,6,4", "4,12", "12,4"];
const CLASSIC = ["4,6,5", "4,6,4", "8,8"];

function issuedLengths(digits: string): number[] {
  const prefix = Number(digits.slice(0, 4));
  const lengths = new Set(RULES.issuers.flatMap((row) => (row.from <= prefix && prefix <= row.to ? row.lengths : [])));
  return USUAL_FIRST.filter((length) => lengths.has(length));
}

export function* findCards(folded: Folded): Generator<Found> {
  const { text } = folded;
  const places = runs(folded).flatMap((run) => cardsIn(text, run));
  places.push(...splitByWords(folded, places));
  for (const [start, end] of places) yield { start, end, kind: "card", shown: lastFour(text.slice(start, end)) };
  if (places.length) yield* beside(text, places);
}

const countOf = (groups: readonly Place[]): number => groups.reduce((sum, [start, end]) => sum + end - start, 0);
const digitsOf = (text: string, groups: readonly Place[]): string => groups.map((group) => text.slice(...group)).join("");
const shapeOf = (groups: readonly Place[]): string => groups.map(([start, end]) => end - start).join();
const gapsOf = (text: string, groups: readonly Place[]): string[] => groups.slice(1).map(([start], at) => text.slice(groups[at]![1], start));
const isReserved = (text: string, groups: readonly Place[]): boolean =>
  shapeOf(groups) === "3,7,7" && gapsOf(text, groups).every((gap) => gap === "-");

function runs({ text, groups }: Folded): Place[][] {
  const found: Place[][] = [];
  for (const group of groups) {
    const run = found.at(-1);
    if (run && BETWEEN.test(text.slice(run.at(-1)![1], group[0]))) run.push(group);
    else found.push([group]);
  }
  return found.filter((run) => countOf(run) >= SHORTEST);
}

function cardsIn(text: string, run: Place[]): Place[] {
  const free = run.map(() => true);
  for (let first = 0; first + 3 <= run.length; first++) {
    if (isReserved(text, run.slice(first, first + 3))) free.fill(false, first, first + 3);
  }
  const numbers = numbersIn(text, run);
  const taken: Place[] = [];
  for (const accept of [isClassic, isPlausible, isWhole]) {
    for (const [first, end] of numbers) {
      const groups = run.slice(first, end);
      const alone = accept !== isWhole || ((first === 0 || !free[first - 1]) && (end === run.length || !free[end]));
      if (!alone || !free.slice(first, end).every(Boolean) || !accept(text, groups)) continue;
      free.fill(false, first, end);
      taken.push([groups[0]![0], groups.at(-1)![1]]);
    }
  }
  return taken.sort(([a], [b]) => a - b);
}

/** The groups (first, one past the last) that together are a number of an issuer and pass Luhn. */
function numbersIn(text: string, run: readonly Place[]): Place[] {
  const found: Place[] = [];
  run.forEach((_, first) => {
    // No card has more groups than digits.
    const groups = run.slice(first, first + 19);
    const digits = digitsOf(text, groups.map(([start, end]): Place => [start, Math.min(end, start + 20)]));
    const ends = new Map<number, number>();
    let count = 0;
    groups.forEach(([start, end], at) => ends.set((count += end - start), first + at + 1));
    for (const length of issuedLengths(digits)) {
      const end = ends.get(length);
      if (end && passesLuhn(digits.slice(0, length)) && !isExcused(text, run.slice(first, end))) found.push([first, end]);
    }
  });
  return found;
}

function isExcused(text: string, groups: readonly Place[]): boolean {
  if (groups.length > 1 && isClassic(text, groups)) return false;
  const start = groups[0]![0];
  const stop = groups.at(-1)![1];
  const before = text[start - 1] ?? "";
  if (before && "+$€£¥".includes(before)) return true;
  const word = text.slice(Math.max(0, start - 24), start).lastIndexOf(" ");
  let labels = labelsBefore(text, start);
  if (!labels.length && word >= 0) labels = labelsBefore(text, Math.max(0, start - 24) + word + 1);
  if (labels.length) return labels.every((label) => label.kept);
  if (/\p{L}/u.test(before)) return true;
  if (groups.length > 1) return false;
  if (isEan13(text.slice(start, stop))) return true;
  return farLabels(text, start).length > 0 || labelsAfter(text, stop).some((label) => label.kept);
}

const evenlySeparated = (text: string, groups: readonly Place[]): boolean => new Set(gapsOf(text, groups)).size <= 1;

function isClassic(_: string, groups: readonly Place[]): boolean {
  const lengths = groups.map(([start, end]) => end - start);
  if (lengths.length === 1 || CLASSIC.includes(lengths.join())) return true;
  return lengths.slice(0, -1).every((length) => length === 4) && lengths.at(-1)! <= 4;
}

function isPlausible(text: string, groups: readonly Place[]): boolean {
  const lengths = groups.map(([start, end]) => end - start);
  if (new Set(lengths).size === 1) return lengths[0]! >= 4 || evenlySeparated(text, groups);
  return lengths[0]! >= 4 && Math.min(...lengths) >= 3;
}

const isWhole = evenlySeparated;

function splitByWords({ text, groups }: Folded, taken: readonly Place[]): Place[] {
  const found: Place[] = [];
  const ends = new Map(taken);
  let free = 0;
  groups.forEach(([start], first) => {
    free = Math.max(free, ends.get(start) ?? 0);
    if (start < free) return;
    const shape = IN_WORDS.find((one) => {
      const part = groups.slice(first, first + one.split(",").length);
      return shapeOf(part) === one && isSplitCard(text, part);
    });
    if (!shape) return;
    free = groups[first + shape.split(",").length - 1]![1];
    found.push([start, free]);
  });
  return found;
}

function isSplitCard(text: string, groups: readonly Place[]): boolean {
  const gaps = gapsOf(text, groups);
  if (!gaps.every((gap) => WORDS_BETWEEN.test(gap)) || !gaps.some((gap) => APART.test(gap))) return false;
  const digits = digitsOf(text, groups);
  if (!issuedLengths(digits).includes(digits.length) || !passesLuhn(digits)) return false;
  return !labelsBefore(text, groups[0]![0]).some((label) => label.kept);
}
