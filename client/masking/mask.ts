/**
 * The masking rules of the server (transcripts/masking), before anything is sent: the same table, held together by
 * tests/fixtures/masking.json. The server masks again, which changes nothing.
 */

import { findCards } from "./cards";
import { Folded } from "./folding";
import { type Found, lastFour } from "./found";
import { findNumbers } from "./numbers";
import { findPasswords, mayHold } from "./passwords";
import { findIbans, findIdentities, findNinos } from "./shapes";
import { RULES } from "./table";

/** What an installation masks otherwise: kinds that are off, its own patterns by name. */
export interface Masking {
  readonly off: readonly string[];
  readonly patterns: Readonly<Record<string, string>>;
}

export interface Masked {
  readonly text: string;
  readonly kinds: readonly string[];
}

const ROUNDS = 4;
const RULES_IN_ORDER = [findIbans, findCards, findNumbers, findIdentities, findNinos];
const NEVER_KEPT = new Set(RULES.kinds.filter((kind) => !kind.may_keep).map((kind) => kind.name));

export const mayKeep = (kind: string): boolean => !NEVER_KEPT.has(kind);

/** Small letters, but not those of `\D`; the server has checked the pattern. */
const patternOf = (pattern: string): RegExp =>
  new RegExp(`(?<![a-z0-9])(?:${pattern.replace(/\\.|[A-Z]/g, (part) => (part[0] === "\\" ? part : part.toLowerCase()))})(?![a-z0-9])`, "g");

export class Masker {
  private readonly off: ReadonlySet<string>;
  private readonly patterns: (readonly [kind: string, pattern: RegExp])[];

  constructor({ off, patterns }: Masking = { off: [], patterns: {} }) {
    this.off = new Set(off);
    this.patterns = Object.entries(patterns).map(([kind, pattern]) => [kind, patternOf(pattern)]);
  }

  mask(text: string, keep: readonly string[] = []): Masked {
    const skip = new Set([...this.off, ...keep.filter(mayKeep)]);
    const kinds = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const folded = new Folded(text);
      const places = withoutOverlaps(this.find(folded).filter(({ kind }) => !skip.has(kind)));
      if (!places.length) return { text, kinds: [...kinds] };
      for (const { kind } of places) kinds.add(kind);
      text = replaced(folded, places);
    }
    return { text: text.replace(/\p{Nd}/gu, "•"), kinds: [...kinds] };
  }

  private find(folded: Folded): Found[] {
    const { text, groups } = folded;
    const found = groups.length ? RULES_IN_ORDER.flatMap((rule) => [...rule(folded)]) : [];
    if (mayHold(text)) found.push(...findPasswords(folded));
    for (const [kind, pattern] of this.patterns) {
      for (const { 0: shown, index: start } of text.matchAll(pattern)) {
        found.push({ start, end: start + shown.length, kind, shown: lastFour(shown) });
      }
    }
    return found;
  }
}

/** What was found first keeps its place. */
function withoutOverlaps(found: readonly Found[]): Found[] {
  const taken: boolean[] = [];
  const kept = found.filter(({ start, end }) => {
    for (let place = start; place < end; place++) if (taken[place]) return false;
    for (let place = start; place < end; place++) taken[place] = true;
    return true;
  });
  return kept.sort((a, b) => a.start - b.start);
}

function replaced(folded: Folded, places: readonly Found[]): string {
  let text = "";
  let done = 0;
  for (const { start, end, shown } of places) {
    const [first, last] = folded.span(start, end);
    text += folded.original.slice(done, first) + shown;
    done = last;
  }
  return text + folded.original.slice(done);
}
