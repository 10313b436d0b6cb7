/** Earlier chats of a customer: about the same order, and under the same name where it is verified. */

import type { Result } from "../../client/search/results";
import { searchTranscripts } from "../search/calls";

export interface EarlierOf {
  ticket: number;
  order: string | undefined;
  /** Only a verified name says who it is. */
  name: string | undefined;
}

const SHOWN = 5;

export function earlierQueries({ order, name }: EarlierOf): string[] {
  return [order === undefined ? null : `order:${quoted(order)}`, name === undefined ? null : `customer:${quoted(name)}`].filter((query) => query !== null);
}

export async function findEarlier(of: EarlierOf, signal: AbortSignal): Promise<Result[]> {
  const answers = await Promise.all(earlierQueries(of).map((query) => searchTranscripts(query, { limit: SHOWN + 1, signal })));
  return mergeEarlier(answers.flatMap(({ results }) => results), of.ticket);
}

/** Each chat once, the last first, without the one we are in. */
export function mergeEarlier(results: readonly Result[], ticket: number): Result[] {
  const byTicket = new Map(results.map((result) => [result.ticket, result]));
  byTicket.delete(ticket);
  return [...byTicket.values()].sort((a, b) => b.opened_at - a.opened_at).slice(0, SHOWN);
}

function quoted(value: string): string {
  return `"${value.replaceAll('"', " ")}"`;
}
