/** IBANs and identity numbers; see transcripts/masking/shapes.py. */

import { passesLuhn, passesMod97, passesVerhoeff } from "./checks";
import type { Folded } from "./folding";
import { type Found, lastFour, matchAt, trimEnd } from "./found";
import { labelsAfter, labelsBefore } from "./labels";
import { type Label, RULES } from "./table";

const COUNTRY = /(?<![a-z0-9])[a-z]{2}[ .:-]{0,2}$/;
const SHAPES: Record<string, readonly [kind: string, separators: string]> = { "3,2,4": ["ssn", "-."], "3,3,3": ["sin", " -"], "4,4,4": ["aadhaar", " -"] };
const GOES_ON_BEFORE = /(?:[a-z0-9+]|\d[ .-])$/;
const GOES_ON = /[a-z0-9]|[ .-]\d/y;
const NINO_REST = /\d\d[ -]{0,2}\d\d[ -]{0,2}\d\d[ -]{0,2}[a-d](?![a-z0-9])/y;
const NINO_BEGIN = /(?<![a-z0-9])([a-z]{2})([ -]{0,2})$/;
const NINO_PREFIX = /^(?:(?!bg|gb|nk|kn|tn|nt|zz)[a-ceghj-prstw-z][a-ceghj-nprstw-z]|qq)$/;

export function passesCheck(kind: string, digits: string): boolean {
  if (kind === "ssn") return isSsn(digits);
  if (kind === "sin") return digits[0] !== "8" && passesLuhn(digits);
  return kind === "aadhaar" && !"01".includes(digits[0]!) && passesVerhoeff(digits);
}

function isSsn(digits: string): boolean {
  const [area, group, serial] = [digits.slice(0, 3), digits.slice(3, 5), digits.slice(5)].map(Number) as [number, number, number];
  if (!group || !serial) return false;
  if (area < 900) return area !== 0 && area !== 666;
  return group >= 50 && ![66, 67, 68, 69, 89, 93].includes(group);
}

const labelsOf = (text: string, start: number, end: number): readonly Label[] => {
  const before = labelsBefore(text, start);
  return before.length ? before : labelsAfter(text, end);
};

export function* findIdentities({ text, groups }: Folded): Generator<Found> {
  for (let at = 0; at + 3 <= groups.length; at++) {
    const part = groups.slice(at, at + 3) as [readonly [number, number], readonly [number, number], readonly [number, number]];
    const [kind, separators] = SHAPES[part.map(([one, other]) => other - one).join()] ?? [];
    const [[start, one], [two, three], [four, end]] = part;
    const gap = text.slice(one, two);
    if (!kind || gap !== text.slice(three, four) || gap.length !== 1 || !separators!.includes(gap)) continue;
    if (matchAt(GOES_ON, text, end) || GOES_ON_BEFORE.test(text.slice(Math.max(0, start - 2), start))) continue;
    const digits = part.map((group) => text.slice(...group)).join("");
    const labels = labelsOf(text, start, end);
    if (!passesCheck(kind, digits) || (labels.length && labels.every((label) => label.kind !== kind))) continue;
    yield { start, end, kind, shown: lastFour(digits) };
  }
}

export function* findNinos(folded: Folded): Generator<Found> {
  const { text, groups } = folded;
  for (const [place, stop] of groups) {
    const rest = [2, 6].includes(stop - place) && matchAt(NINO_REST, text, place);
    const look = Math.max(0, place - 5);
    const begin = rest && NINO_BEGIN.exec(text.slice(look, place));
    if (!begin || !NINO_PREFIX.test(begin[1]!)) continue;
    const start = look + begin.index;
    const end = place + rest[0].length;
    const labels = labelsOf(text, start, end);
    const prefix = folded.written(start, start + 2);
    const plain = !begin[2] || prefix !== prefix.toLowerCase();
    if (labels.some(({ name }) => name === "nino") || (!labels.length && plain)) {
      yield { start, end, kind: "nino", shown: lastFour(text.slice(start, end)) };
    }
  }
}

export function* findIbans({ text, groups }: Folded): Generator<Found> {
  let done = 0;
  for (const [place] of groups) {
    const before = text.slice(Math.max(0, place - 5), place);
    const form = (RULES.ibans as Record<string, string>)[trimEnd(before, " .:-").slice(-2)];
    const country = form && COUNTRY.exec(before);
    if (!country || place < done) continue;
    const structure = form.replace(/(\d+)([nac])/g, (_, count, kind) => kind.repeat(Number(count)));
    const start = place - country[0].length;
    const end = walk(text, place, `nn${structure}`);
    if (end === undefined) continue;
    const number = text.slice(start, end).replace(/[^a-z0-9]/g, "");
    if (!passesMod97(number.slice(4) + number.slice(0, 4))) continue;
    done = end;
    yield { start, end, kind: "iban", shown: lastFour(number) };
  }
}

const WANTED: Record<string, RegExp> = { n: /[0-9]/, a: /[a-z]/, c: /[a-z0-9]/ };

function walk(text: string, place: number, structure: string): number | undefined {
  for (const wanted of structure) {
    for (let gap = 0; gap < 3 && place < text.length && " -./:".includes(text[place]!); gap++) place++;
    if (!WANTED[wanted]!.test(text[place] ?? "")) return undefined;
    place++;
  }
  return /[a-z0-9]/.test(text[place] ?? "") ? undefined : place;
}
