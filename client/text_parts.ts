/** Cuts a text into what is shown in different ways: plain, masked, linked, and hits of a search. */

import type { Range } from "./find";
import { linkPlaces } from "./links";

export interface TextPart {
  readonly text: string;
  readonly masked: boolean;
  /** The number of the hit this part belongs to, -1 for none. */
  readonly hit: number;
  /** The address of the link this part belongs to. */
  readonly link?: string;
}

/** The mask leaves bullets, with what it keeps behind them: `•••• 1111`. */
const MASKED = /•{2,}(?: (?=[A-Z]*\d)[A-Z\d]{4}(?![\p{L}\d])|[ /-]?[•\d]+)*/gu;

export function maskedPlaces(text: string): Range[] {
  return [...text.matchAll(MASKED)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
}

export function textParts(text: string, hits: readonly Range[] = [], masked: readonly Range[] = maskedPlaces(text)): TextPart[] {
  const links = linkPlaces(text);
  const edges = new Set([0, text.length]);
  for (const { start, end } of [...hits, ...masked, ...links]) edges.add(start).add(end);
  const cuts = [...edges].sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => {
    const start = cuts[index] ?? 0;
    const inside = (range: Range) => range.start <= start && end <= range.end;
    const link = links.find(inside);
    return { link: link && text.slice(link.start, link.end), text: text.slice(start, end), masked: masked.some(inside), hit: hits.findIndex(inside) };
  });
}
