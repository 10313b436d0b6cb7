/** `localStorage` behind a wrapper: where it throws (blocked, full, private windows) values live as long as the page. */

export interface Store {
  get<T>(key: string): T | undefined;
  set(key: string, value: unknown): void;
  remove(key: string): void;
  /** The keys that begin like this. */
  keys(prefix: string): string[];
  /** False when values will not survive the page. */
  readonly lasting: boolean;
}

export function memoryStore(): Store {
  const values = new Map<string, string>();
  return {
    lasting: false,
    get: <T>(key: string) => parse<T>(values.get(key)),
    set: (key, value) => void values.set(key, JSON.stringify(value)),
    remove: (key) => void values.delete(key),
    keys: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
}

export function openStore(): Store {
  let area: Storage;
  try {
    area = localStorage;
    area.setItem("chat.probe", "1");
    area.removeItem("chat.probe");
  } catch {
    return memoryStore();
  }
  const memory = memoryStore();
  return {
    lasting: true,
    get: <T>(key: string) => memory.get<T>(key) ?? parse<T>(area.getItem(key)),
    set(key, value) {
      try {
        area.setItem(key, JSON.stringify(value));
        memory.remove(key);
      } catch {
        memory.set(key, value); // full: what cannot be stored still holds for this page
      }
    },
    remove(key) {
      memory.remove(key);
      area.removeItem(key);
    },
    keys: (prefix) => [...new Set([...Object.keys(area), ...memory.keys("")])].filter((key) => key.startsWith(prefix)),
  };
}

function parse<T>(text: string | null | undefined): T | undefined {
  if (text == null) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
