import { useEffect, useReducer, useRef } from "preact/hooks";
import { heldRows, type Row } from "./held_rows";

export interface Held<Item> {
  rows: Row<Item>[];
  /** For the list's element: hold while somebody points at it or has the focus in it. */
  listeners: {
    onPointerEnter: () => void;
    onPointerLeave: () => void;
    onFocusIn: (event: FocusEvent) => void;
    onFocusOut: (event: FocusEvent) => void;
  };
}

export function useHeldRows<Item extends { ticket: number }>(items: readonly Item[], leaves?: (ticket: number) => boolean): Held<Item> {
  const [, render] = useReducer((count: number, _: null) => count + 1, 0);
  const held = useRef<Row<Item>[] | null>(null);
  const pointer = useRef(false);
  const focused = useRef<Node | null>(null);
  const rows = heldRows(held.current, items, leaves);
  if (held.current !== null) held.current = rows;

  function settle(): void {
    const holding = pointer.current || focused.current !== null;
    if (holding === (held.current !== null)) return;
    held.current = holding ? rows : null;
    render(null);
  }

  useEffect(() => {
    // A focused row that goes away takes the focus with it, without an event.
    if (focused.current?.contains(document.activeElement) !== false) return;
    focused.current = null;
    settle();
  });

  const point = (on: boolean) => {
    pointer.current = on;
    settle();
  };
  const focus = (list: Node | null) => {
    focused.current = list;
    settle();
  };
  return {
    rows,
    listeners: {
      onPointerEnter: () => point(true),
      onPointerLeave: () => point(false),
      onFocusIn: (event) => focus(event.currentTarget as Node),
      onFocusOut: (event) => {
        const list = event.currentTarget as Node;
        if (!list.contains(event.relatedTarget as Node | null)) focus(null);
      },
    },
  };
}
