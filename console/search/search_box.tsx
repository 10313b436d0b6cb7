import { useEffect, useRef, useState } from "preact/hooks";
import { HelpIcon } from "../icons";
import { texts } from "../texts";

export interface SearchBoxProps {
  q: string;
  onQ: (q: string) => void;
  /** Enter: do not wait for the pause. */
  onNow: () => void;
}

export function SearchBox({ q, onQ, onNow }: SearchBoxProps) {
  const words = texts.search;
  const [help, setHelp] = useState(false);
  const box = useRef<HTMLInputElement>(null);
  const frame = useRef<HTMLElement>(null);

  useEffect(() => box.current?.select(), []);
  useEffect(() => {
    if (!help) return;
    const away = (event: Event) => !frame.current?.contains(event.target as Node) && setHelp(false);
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, [help]);

  function escape(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !help) return;
    event.preventDefault();
    setHelp(false);
    box.current?.focus();
  }

  function take(example: string): void {
    onQ(example);
    setHelp(false);
    box.current?.focus();
  }

  return (
    <search class="search-box" ref={frame} onKeyDown={escape}>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          onNow();
        }}
      >
        <input
          id="search-box" ref={box} type="search" value={q} onInput={(event) => onQ(event.currentTarget.value)} aria-label={words.label}
          placeholder={words.placeholder} autocomplete="off" autocapitalize="off" spellcheck={false} enterkeyhint="search" maxLength={500} dir="auto"
        />
        <button type="button" class="icon-button" aria-label={words.help} title={words.help} aria-expanded={help} aria-controls="search-help" onClick={() => setHelp(!help)}>
          <HelpIcon />
        </button>
      </form>
      <div id="search-help" class="search-help" hidden={!help}>
        <h2>{words.help}</h2>
        <dl>
          {words.helpRows.map(([example, what]) => (
            <div key={example}>
              <dt>
                <button type="button" class="plain" onClick={() => take(example)}>
                  {example}
                </button>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </div>
    </search>
  );
}
