import { useEffect, useRef, useState } from "preact/hooks";
import { zoneName } from "../client/format";
import { Result } from "./result";
import { check } from "./seal/check";
import { readKeys } from "./seal/keys";
import type { Keys, Verification } from "./seal/verify";
import { texts } from "./texts";

export interface Checked {
  readonly name: string;
  /** The file itself, to check it again with other keys. */
  readonly body: Uint8Array;
  readonly found: Verification;
}

export function App({ published }: { published: Keys }) {
  const [keys, setKeys] = useState(published);
  const [keysFrom, setKeysFrom] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const [checked, setChecked] = useState<readonly Checked[]>([]);

  async function checkAll(files: Iterable<File>): Promise<void> {
    setChecked(await Promise.all([...files].map((file) => checkOne(file, keys))));
  }

  async function useKeys(file: File): Promise<void> {
    const read = readKeys(await file.text().catch(() => ""));
    setWrong(read === null ? texts.wrongKeys(file.name) : null);
    if (read === null) return;
    setKeys(read);
    setKeysFrom(file.name);
    setChecked((before) => before.map((one) => ({ ...one, found: check(one.body, read) })));
  }

  return (
    <main>
      <header>
        <h1>{texts.title}</h1>
        <p>{texts.intro}</p>
      </header>
      <Chooser onFiles={checkAll} />
      <div class="results" aria-live="polite">
        {checked.map((one) => (
          <Result key={one.name} checked={one} />
        ))}
        {checked.length > 0 && <p class="aside">{texts.zone(zoneName())}</p>}
      </div>
      <KeyList keys={keys} from={keysFrom} wrong={wrong} onKeys={useKeys} />
      {location.protocol !== "file:" && (
        <footer>
          <a class="button" href={location.pathname} download="verify.html">
            {texts.save}
          </a>
          <p>{texts.saveWhy}</p>
        </footer>
      )}
    </main>
  );
}

async function checkOne(file: File, keys: Keys): Promise<Checked> {
  try {
    const body = new Uint8Array(await file.arrayBuffer());
    return { name: file.name, body, found: check(body, keys) };
  } catch {
    const problems = [{ what: "format", seq: null, message: texts.unreadFile } as const];
    return { name: file.name, body: new Uint8Array(), found: { file: null, problems } };
  }
}

/** The whole page takes files that are dropped. */
function Chooser({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;

  useEffect(() => {
    const drag = (event: DragEvent) => {
      event.preventDefault();
      setOver(event.type === "dragover");
      if (event.type === "drop" && event.dataTransfer !== null) latest.current(event.dataTransfer.files);
    };
    const kinds = ["dragover", "dragleave", "drop"] as const;
    for (const kind of kinds) addEventListener(kind, drag);
    return () => {
      for (const kind of kinds) removeEventListener(kind, drag);
    };
  }, []);

  function chosen(): void {
    const files = input.current?.files;
    if (files?.length) onFiles([...files]);
    if (input.current !== null) input.current.value = ""; // the same file may be chosen again
  }

  return (
    <div class={over ? "chooser over" : "chooser"}>
      <label class="button primary">
        {texts.choose}
        <input ref={input} class="visually-hidden" type="file" multiple accept=".json,.html,.eml,application/json,text/html,message/rfc822" onChange={chosen} />
      </label>
      <span>{texts.drop}</span>
    </div>
  );
}

interface KeyListProps {
  keys: Keys;
  from: string | null;
  wrong: string | null;
  onKeys: (file: File) => void;
}

function KeyList({ keys, from, wrong, onKeys }: KeyListProps) {
  return (
    <section class="keys">
      <h2>{texts.keys}</h2>
      <p>{keys.size === 0 ? texts.noKeys : from === null ? texts.keysWhy : texts.keysFrom(from)}</p>
      <ul>
        {[...keys.keys()].map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
      <label class="button">
        {texts.otherKeys}
        <input
          class="visually-hidden"
          type="file"
          accept=".json,application/json"
          onChange={({ currentTarget }) => {
            const [file] = currentTarget.files ?? [];
            if (file !== undefined) onKeys(file);
            currentTarget.value = "";
          }}
        />
      </label>
      <p role="alert" class="wrong">
        {wrong}
      </p>
    </section>
  );
}
