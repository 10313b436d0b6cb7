/** The form in which texts are compared; see transcripts/masking/folding.py. Each folded character is one UTF-16 unit. */

const INVISIBLE = /[\u00ad\u034f\u061c\u180e\u20e3\ufeff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f]/;
/** Stands for letters beyond the basic plane: some letter that is in no word of the table. */
const OTHER_LETTER = "ª";

/** Digits of one script stand together, from 0 to 9. */
function digitOf(char: string): string | undefined {
  if (!/\p{Nd}/u.test(char)) return undefined;
  const code = char.codePointAt(0)!;
  let before = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(code - before - 1))) before++;
  return String(before % 10);
}

function fold(char: string): string {
  if (char <= "\x7f") return char.toLowerCase();
  if (INVISIBLE.test(char)) return "";
  if (char === "•") return char;
  if (char === "№") return "#";
  const digit = digitOf(char);
  if (digit) return digit;
  const [first = char, ...marks] = char.normalize("NFKD");
  let plain = marks.every((mark) => /\p{M}/u.test(mark)) ? first : char;
  if (/^\s$/.test(plain)) return " ";
  const lower = plain.toLowerCase();
  if ([...lower].length === 1) plain = lower;
  if (/[\p{L}\p{N}\p{M}\p{Sc}]/u.test(plain) || plain <= "\x7f") return plain.length === 1 ? plain : OTHER_LETTER;
  return /[\p{Pd}\u2212]/u.test(plain) ? "-" : ".";
}

export type Place = readonly [start: number, end: number];

export class Folded {
  readonly text: string;
  /** Where digits stand together. */
  readonly groups: Place[];
  private readonly at: number[] = [];

  constructor(readonly original: string) {
    let text = "";
    let place = 0;
    for (const char of original) {
      const folded = fold(char);
      if (folded) {
        text += folded;
        this.at.push(place);
      }
      place += char.length;
    }
    this.text = text;
    this.groups = [...text.matchAll(/[0-9]+/g)].map((group) => [group.index, group.index + group[0].length]);
  }

  /** Where the folded characters start … end-1 stand in the original, with what is invisible behind them. */
  span(start: number, end: number): Place {
    return [this.at[start]!, this.at[end] ?? this.original.length];
  }

  written(start: number, end: number): string {
    return this.original.slice(...this.span(start, end));
  }
}
