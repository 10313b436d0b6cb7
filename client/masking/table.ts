/** The table of the masking rules, the file that the server reads too (transcripts/masking/rules.json). */

import rules from "../../transcripts/masking/rules.json";

/** What words beside a number say that it is; the fields are those of `Label` in transcripts/masking/table.py. */
export interface Label {
  readonly name: string;
  readonly kind?: string | null;
  readonly digits?: readonly number[];
  readonly secret?: boolean;
  readonly kept?: boolean;
  readonly far?: boolean;
  readonly alone?: boolean;
}

export const RULES = rules;
export const FILLERS = new Set(rules.fillers);
export const COPULAS = new Set(rules.copulas);
export const CONJUNCTIONS = new Set(rules.conjunctions);
export const PAYMENTS = new Set(rules.payments);
export const ABBREVIATIONS = new Set(rules.abbreviations);
export const UNITS = new Set(rules.units);
export const BEFORE_ALONE = new Set([...rules.fillers, ...rules.before_alone]);

export const LABELS_BY_PHRASE = new Map<string, Label[]>();
export const LABELS_BY_PREFIX = new Map<string, Label[]>();
for (const { words, ...label } of rules.labels) {
  for (const word of words) {
    const table = word.endsWith("*") ? LABELS_BY_PREFIX : LABELS_BY_PHRASE;
    const phrase = word.replace(/\*$/, "");
    table.set(phrase, [...(table.get(phrase) ?? []), label]);
  }
}
export const LAST_WORDS = new Set([...FILLERS, ...[...LABELS_BY_PHRASE.keys()].map((phrase) => phrase.slice(phrase.lastIndexOf(" ") + 1))]);
export const LONGEST_PHRASE = Math.max(...[...LABELS_BY_PHRASE.keys()].map((phrase) => phrase.split(" ").length));
