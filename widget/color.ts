/** A site's own accent colour. */

/** Black or white, whichever can be read on `color` (`#rgb` or `#rrggbb`); undefined if it is no such colour. */
export function textOn(color: string): string | undefined {
  const digits = /^#(?:[\da-f]{3}){1,2}$/i.test(color) && (color.length === 4 ? color.replace(/[^#]/g, "$&$&") : color).slice(1);
  if (!digits) return undefined;
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => (Number.parseInt(digits.slice(at, at + 2), 16) / 255) ** 2.2);
  // Where white and black have the same contrast: sqrt(1.05 * 0.05) - 0.05.
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
