/** Numbers that are secret because of the words beside them; see transcripts/masking/numbers.py. */

import type { Folded } from "./folding";
import { type Found, lastFour, matchAt, SECRET } from "./found";
import { farLabels, labelsAfter, labelsBefore } from "./labels";
import { passesCheck } from "./shapes";
import { CONJUNCTIONS, type Label, UNITS } from "./table";

const NUMBER = /\d(?<![\da-z$€£•]\d)(?<!\d[.,/:]\d)(?:[ -]{0,2}\d){2,}(?![\d%€$£a-z]|[.,:/]\d| ?[$€£%])/g;
const NEXT_WORD = / {0,2}([a-z]+)/y;
const BETWEEN_ACCOUNTS = /^[\s,;/&]{0,3}([a-z]*)[\s:#]{0,2}$/;
const ACCOUNT: Label = { name: "account", kind: "account", digits: [5, 20] };

export function* findNumbers({ text }: Folded): Generator<Found> {
  let before: Found | undefined;
  for (const { 0: number, index: start } of text.matchAll(NUMBER)) {
    const end = start + number.length;
    let labels = labelsBefore(text, start);
    if (!labels.length) labels = labelsAfter(text, end);
    if (!labels.length && before && goesOn(text.slice(before.end, start))) labels = [ACCOUNT];
    const found = labels.length ? labelled(text, start, end, labels) : farLabelled(text, start, end);
    before = found?.kind === "account" ? found : undefined;
    if (found) yield found;
  }
}

function goesOn(between: string): boolean {
  const match = BETWEEN_ACCOUNTS.exec(between);
  return match !== null && (!match[1] || CONJUNCTIONS.has(match[1]));
}

function labelled(text: string, start: number, end: number, labels: readonly Label[]): Found | undefined {
  const group = start + text.slice(start, end).search(/[^0-9]|$/);
  for (const stop of [end, group]) {
    const count = text.slice(start, stop).replace(/[^0-9]/g, "").length;
    for (const { kind, digits: [least = 0, most = 0] = [], secret } of labels) {
      if (!kind || count < least || count > most || isAmount(text, stop)) continue;
      return { start, end: stop, kind, shown: secret ? SECRET : lastFour(text.slice(start, stop)) };
    }
  }
  return undefined;
}

function farLabelled(text: string, start: number, end: number): Found | undefined {
  const digits = text.slice(start, end).replace(/[^0-9]/g, "");
  const far = digits.length === 9 || digits.length === 12 ? farLabels(text, start) : [];
  if (far.some((label) => label.kept)) return undefined;
  const label = far.find((one) => one.kind && one.digits?.[0] === digits.length && passesCheck(one.kind, digits));
  return label && { start, end, kind: label.kind!, shown: lastFour(digits) };
}

function isAmount(text: string, end: number): boolean {
  const word = matchAt(NEXT_WORD, text, end);
  return word !== null && UNITS.has(word[1]!);
}
