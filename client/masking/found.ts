/** What every rule answers; see transcripts/masking/found.py. */

export interface Found {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
  readonly shown: string;
}

export const SECRET = "••••";

export function lastFour(text: string): string {
  const plain = text.replace(/[^a-z0-9]/gi, "");
  return plain.length >= 8 ? `${SECRET} ${plain.slice(-4).toUpperCase()}` : SECRET;
}

/** What a sticky pattern finds at a place. */
export function matchAt(pattern: RegExp, text: string, place: number): RegExpExecArray | null {
  pattern.lastIndex = place;
  return pattern.exec(text);
}

export const trimEnd = (text: string, chars: string): string => {
  let end = text.length;
  while (end && chars.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
};
