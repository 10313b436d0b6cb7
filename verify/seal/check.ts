/** From the bytes of a file to what is wrong with it. The file is the JSON, or another export with the JSON inside. */

import { type Json, readJson } from "./json";
import { type Keys, type Verification, verify } from "./verify";

export function check(body: Uint8Array, keys: Keys): Verification {
  let transcript: Json;
  try {
    transcript = readJson(jsonIn(textOf(body)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { file: null, problems: [{ what: "format", seq: null, message: `This is not an exported transcript: ${why}.` }] };
  }
  return verify(transcript, keys);
}

function textOf(body: Uint8Array): string {
  if (String.fromCharCode(...body.subarray(0, 5)) === "%PDF-") throw new TypeError("a PDF has it attached: save the attached chat-….json, and check that");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new TypeError("it is not text in UTF-8");
  }
}

const IN_HTML = /<script type="application\/json" id="chat-transcript">([^]*?)<\/script>/g;
const IN_MAIL = /^Content-Disposition: attachment; filename="chat-\d+\.json"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([A-Za-z0-9+/=\r\n]+)/gm;

/** The JSON in an exported file of any format. */
function jsonIn(text: string): string {
  if (text.startsWith("{")) return text;
  const mail = only(text, IN_MAIL);
  if (mail !== null) return new TextDecoder().decode(Uint8Array.from(atob(mail.replace(/\s/g, "")), (char) => char.charCodeAt(0)));
  const html = only(text, IN_HTML);
  if (html !== null) return html;
  throw new TypeError("there is no proof in it");
}

/** What a pattern finds, if it finds it once: with two proofs in a file, nobody knows which is meant. */
function only(text: string, pattern: RegExp): string | null {
  const found = [...text.matchAll(pattern)];
  if (found.length > 1) throw new TypeError("there is more than one proof in it");
  return found[0]?.[1] ?? null;
}
