import { texts } from "./texts";

export interface FindBarProps {
  query: string;
  total: number;
  /** The hit that the reader is at, from 0; null while at none. */
  number: number | null;
  onQuery: (query: string) => void;
  onNumber: (number: number) => void;
}

export function FindBar({ query, total, number, onQuery, onNumber }: FindBarProps) {
  const found = total > 0;
  const step = (by: number) => found && onNumber(((number ?? (by > 0 ? -1 : 0)) + by + total) % total);

  function key(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") onQuery("");
  }

  return (
    <search class="find">
      <input
        type="search" value={query} onInput={(event) => onQuery(event.currentTarget.value)} onKeyDown={key} placeholder={texts.find}
        aria-label={texts.find} enterkeyhint="search" maxLength={200}
      />
      <span class="find-count" role="status">
        {number === null ? found && texts.found(total) : query.trim() !== "" && texts.hits(number + 1, total)}
      </span>
      <button aria-label={texts.findPrevious} title={texts.findPrevious} aria-disabled={!found} onClick={() => step(-1)}>
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d="m5 12 5-5 5 5" /></svg>
      </button>
      <button aria-label={texts.findNext} title={texts.findNext} aria-disabled={!found} onClick={() => step(1)}>
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d="m5 8 5 5 5-5" /></svg>
      </button>
    </search>
  );
}
