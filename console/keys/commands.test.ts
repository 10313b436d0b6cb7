import { describe, expect, it } from "vitest";
import { type Key, keyCommand } from "./commands";

const press = (key: string, more: Partial<Key> = {}): Key => ({
  key,
  code: `Key${key.toUpperCase()}`,
  altKey: false,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  isComposing: false,
  ...more,
});

describe("keyCommand", () => {
  it("takes the oldest chat with Alt A, whatever character the keyboard makes of it", () => {
    expect(keyCommand(press("å", { altKey: true, code: "KeyA" }), true)).toBe("take_oldest");
  });

  it("leaves AltGr to the one who types", () => {
    expect(keyCommand(press("€", { altKey: true, ctrlKey: true, code: "KeyE" }), true)).toBeNull();
  });

  it("opens the search with Ctrl / and with Cmd /, on layouts where / needs Shift too", () => {
    expect(keyCommand(press("/", { ctrlKey: true }), true)).toBe("search");
    expect(keyCommand(press("/", { metaKey: true }), false)).toBe("search");
    expect(keyCommand(press("/", { ctrlKey: true, shiftKey: true, code: "Digit7" }), false)).toBe("search");
  });

  it("shows the keys with ?, but not to somebody who writes a question", () => {
    expect(keyCommand(press("?", { shiftKey: true }), false)).toBe("keys");
    expect(keyCommand(press("?", { shiftKey: true }), true)).toBeNull();
  });

  it("takes no plain letter and no shortcut of the browser", () => {
    expect(keyCommand(press("a"), false)).toBeNull();
    expect(keyCommand(press("n", { ctrlKey: true }), false)).toBeNull();
    expect(keyCommand(press("a", { altKey: true, isComposing: true }), false)).toBeNull();
  });
});
