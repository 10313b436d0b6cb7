/** Random names made by the client. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const bytes = (count: number) => [...crypto.getRandomValues(new Uint8Array(count))];

/** 22 characters of `[A-Za-z0-9_-]`, 132 bits: a device, or the local name of a command. */
export const randomId = (): string => bytes(22).map((byte) => ALPHABET[byte & 63]).join("");

/** 32 lower-case hex digits: a `chat_key`. */
export const randomKey = (): string => bytes(16).map((byte) => byte.toString(16).padStart(2, "0")).join("");
