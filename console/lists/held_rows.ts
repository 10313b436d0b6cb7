/** The list never reorders under the pointer: while somebody points at it, rows that left stay in place, and new ones go to the end. */

export interface Row<Item> {
  readonly item: Item;
  readonly gone: boolean;
}

/** `leaves`: what went away by the reader's own hand, and is not held. */
export function heldRows<Item extends { ticket: number }>(
  held: readonly Row<Item>[] | null,
  items: readonly Item[],
  leaves: (ticket: number) => boolean = () => false,
): Row<Item>[] {
  if (held === null) return items.map((item) => ({ item, gone: false }));
  const current = new Map(items.map((item) => [item.ticket, item]));
  const kept = held.map(({ item }) => {
    const now = current.get(item.ticket);
    current.delete(item.ticket);
    return now === undefined ? { item, gone: true } : { item: now, gone: false };
  });
  return [...kept.filter(({ item, gone }) => !gone || !leaves(item.ticket)), ...[...current.values()].map((item) => ({ item, gone: false }))];
}
