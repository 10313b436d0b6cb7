/** A value that components watch. */

import { useLayoutEffect, useState } from "preact/hooks";

export class Cell<Value> {
  private readonly watchers = new Set<() => void>();

  constructor(private value: Value) {}

  get(): Value {
    return this.value;
  }

  set(value: Value): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const tell of [...this.watchers]) tell();
  }

  update(change: (value: Value) => Value): void {
    this.set(change(this.value));
  }

  watch(tell: () => void): () => void {
    this.watchers.add(tell);
    return () => this.watchers.delete(tell);
  }
}

export function useCell<Value>(cell: Cell<Value>): Value {
  const [, render] = useState({});
  const value = cell.get();
  // At once, not after the next picture: until then the component would answer keys by what it saw before.
  useLayoutEffect(() => {
    // It may have changed between this render and this effect.
    if (!Object.is(cell.get(), value)) render({});
    return cell.watch(() => render({}));
  }, [cell]);
  return value;
}
