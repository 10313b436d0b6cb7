/** Which key asks for what. Letters are read by their place (`code`): with Option held, a Mac types another character. */

export type KeyCommand = "take_oldest" | "note" | "close" | "next" | "previous" | "search" | "keys";

export interface Key {
  key: string;
  code: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  isComposing: boolean;
}

const ALT: Readonly<Record<string, KeyCommand>> = {
  KeyA: "take_oldest",
  KeyN: "note",
  KeyE: "close",
  KeyJ: "next",
  KeyK: "previous",
};

export function keyCommand(key: Key, inField: boolean): KeyCommand | null {
  if (key.isComposing) return null;
  // AltGr reports Alt and Ctrl together: that is somebody typing a letter.
  if (key.altKey) return key.ctrlKey || key.metaKey || key.shiftKey ? null : (ALT[key.code] ?? null);
  if (key.ctrlKey || key.metaKey) return key.key === "/" ? "search" : null;
  return key.key === "?" && !inField ? "keys" : null;
}
