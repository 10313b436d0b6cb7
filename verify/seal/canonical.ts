/** The one encoding of a value: JSON Canonicalization Scheme (RFC 8785) as docs/seal.md has it, with whole numbers of any size. */

import type { Json } from "./json";

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** @throws RangeError for what has no such encoding: infinity, half a surrogate pair. */
export function canonical(value: Json): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return quoted(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new RangeError("infinity has no JSON form");
    return String(value === 0 ? 0 : value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  // The default order of strings is that of their UTF-16 code units, as the RFC asks.
  const pairs = Object.keys(value).sort().map((key) => `${quoted(key)}:${canonical(value[key] ?? null)}`);
  return `{${pairs.join(",")}}`;
}

function quoted(text: string): string {
  if (LONE_SURROGATE.test(text)) throw new RangeError("text with half a surrogate pair has no encoding");
  return JSON.stringify(text);
}
