/** Published keys: what `/.well-known/chat-seal-keys.json` holds. */

import { bytes, keyIdOf } from "./hashes";
import { type Json, readJson } from "./json";
import type { Keys } from "./verify";

/** null if it is no list of public keys, or a key does not bear its own name. */
export function readKeys(text: string): Keys | null {
  try {
    const read = readJson(text);
    const listed = isObject(read) && Array.isArray(read.keys) ? read.keys : null;
    if (listed === null) return null;
    const keys = new Map<string, Uint8Array>();
    for (const one of listed) {
      if (!isObject(one) || typeof one.key_id !== "string" || typeof one.public_key !== "string") return null;
      const key = bytes(one.public_key);
      if (key.length !== 32 || keyIdOf(key) !== one.key_id) return null;
      keys.set(one.key_id, key);
    }
    return keys;
  } catch {
    return null;
  }
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
