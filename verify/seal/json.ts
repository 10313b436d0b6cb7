/**
 * A strict reader of JSON (RFC 8259) for what is to be verified. `JSON.parse` rounds whole numbers beyond 2^53, and takes the last
 * of two equal keys where another program may show the first: here the one stays exact (a bigint), the other is refused.
 */

export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

/** Deeper than this nothing is read: no transcript is, and the stack has an end. */
const DEEPEST = 200;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** A string without its quotes: anything but quotes, backslashes and control characters, and escapes. */
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;

/** @throws SyntaxError */
export function readJson(text: string): Json {
  let at = 0;

  function take(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at = pattern.lastIndex;
    return found[0];
  }

  function wrong(): never {
    throw new SyntaxError(at < text.length ? `character ${at + 1} is not JSON` : "the file ends too early");
  }

  function next(char: string): boolean {
    take(SPACE);
    if (text[at] !== char) return false;
    at += 1;
    return true;
  }

  function string(): string {
    take(SPACE);
    const quoted = take(STRING);
    return quoted === null ? wrong() : (JSON.parse(quoted) as string);
  }

  function object(depth: number): JsonObject {
    // Without a prototype, so that `__proto__` is a key like any other.
    const made: JsonObject = Object.create(null);
    if (next("}")) return made;
    do {
      const key = string();
      if (key in made) throw new SyntaxError(`the key ${JSON.stringify(key)} stands twice in one object`);
      if (!next(":")) wrong();
      made[key] = value(depth);
    } while (next(","));
    return next("}") ? made : wrong();
  }

  function array(depth: number): Json[] {
    const made: Json[] = [];
    if (next("]")) return made;
    do made.push(value(depth));
    while (next(","));
    return next("]") ? made : wrong();
  }

  function word(spelled: string): boolean {
    if (!text.startsWith(spelled, at)) return false;
    at += spelled.length;
    return true;
  }

  function value(depth: number): Json {
    if (depth === DEEPEST) throw new SyntaxError("the file is nested too deeply");
    if (next("{")) return object(depth + 1);
    if (next("[")) return array(depth + 1);
    if (text[at] === '"') return string();
    if (word("null")) return null;
    if (word("true")) return true;
    if (word("false")) return false;
    const digits = take(NUMBER);
    return digits === null ? wrong() : numberOf(digits);
  }

  const read = value(0);
  take(SPACE);
  return at === text.length ? read : wrong();
}

function numberOf(digits: string): number | bigint {
  const number = Number(digits);
  return /^-?\d+$/.test(digits) && !Number.isSafeInteger(number) ? BigInt(digits) : number;
}
