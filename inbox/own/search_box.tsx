import { texts } from "../texts";

export interface SearchBoxProps {
  q: string;
  onQ: (q: string) => void;
  /** Enter: do not wait for the pause. */
  onNow: () => void;
}

export function SearchBox({ q, onQ, onNow }: SearchBoxProps) {
  const words = texts.own;
  return (
    <search class="own-search">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onNow();
        }}
      >
        <input
          type="search" value={q} onInput={(event) => onQ(event.currentTarget.value)} aria-label={words.search} placeholder={words.search}
          aria-describedby="own-hint" autocomplete="off" autocapitalize="off" spellcheck={false} enterkeyhint="search" maxLength={500} dir="auto"
        />
      </form>
      <p id="own-hint" class="own-hint">
        {words.hint}
      </p>
    </search>
  );
}
