/** The list never reorders under the pointer: while somebody points at it, rows that left stay in place, and new ones go to the end. */

export interface Row<Item> {
  readonly item: Item;
  readonly gone: boolean;
}

export function heldRows<Item extends { ticket: number }>(held: readonly Row<Item>[] | null, items: readonly Item[]): Row<Item>[] {
  if (held === null) return items.map((item) => ({ item, gone: false }));
  const current = new Map(items.map((item) => [item.ticket, item]));
  const kept = held.map(({ item }) => {
    const now = current.get(item.ticket);
    current.delete(item.ticket);
    return now === undefined ? { item, gone: true } : { item: now, gone: false };
  });
  return [...kept, ...[...current.values()].map((item) => ({ item, gone: false }))];
}
