import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("./tokens.css", import.meta.url), "utf8");

function token(name: string, theme: 0 | 1): string {
  const value = new RegExp(`--${name}: (?:light-dark\\((#\\w+), (#\\w+)\\)|(#\\w+))`).exec(css);
  if (!value) throw new Error(`There is no token --${name}.`);
  return value[3] ?? value[theme + 1] ?? "";
}

function luminance(hex: string): number {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((one) => one + one) : (hex.slice(1).match(/../g) ?? []);
  const [red = 0, green = 0, blue = 0] = digits
    .map((pair) => Number.parseInt(pair, 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const TEXT = ["text", "muted", "accent-text", "ok-text", "warn-text", "danger-text", "info-text"].flatMap((name) =>
  ["page", "surface", "raised", "hover"].map((ground): [string, string] => [name, ground]),
);
TEXT.push(
  ["on-accent", "accent"], ["on-accent", "accent-strong"], ["accent-text", "accent-soft"], ["text", "accent-soft"], ["muted", "accent-soft"],
  ["ok-text", "ok-soft"], ["warn-text", "warn-soft"], ["danger-text", "danger-soft"], ["info-text", "info-soft"],
  ["on-note", "note"], ["on-hit", "hit"], ["on-hit-current", "hit-current"],
);
const CONTROLS = ["line-strong", "focus", "accent", "ok", "warn", "danger", "info"].flatMap((name) =>
  ["page", "surface"].map((ground): [string, string] => [name, ground]),
);

describe.each([["light", 0], ["dark", 1]] as const)("in the %s theme", (_, theme) => {
  it.each(TEXT)("text in %s can be read on %s", (text, ground) => {
    expect(contrast(token(text, theme), token(ground, theme))).toBeGreaterThanOrEqual(4.5);
  });

  it.each(CONTROLS)("a control in %s stands out from %s", (control, ground) => {
    expect(contrast(token(control, theme), token(ground, theme))).toBeGreaterThanOrEqual(3);
  });
});
