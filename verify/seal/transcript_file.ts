/** The file `chat-transcript/1` (docs/seal.md): its types, and the reading that allows nothing else. */

import { bytes, commitment, hex, leafHash } from "./hashes";
import type { Json, JsonObject } from "./json";

export const FORMAT = "chat-transcript/1";

export interface FileEntry {
  readonly seq: number;
  readonly at: number;
  readonly kind: string;
  readonly audience: string;
  readonly role: string;
  readonly participant: string;
  readonly name: string | null;
  readonly text: string | null;
  readonly data: JsonObject | null;
  readonly attachments: readonly string[];
  readonly erased: boolean;
  /** The hash that its content gives, in hex. */
  readonly leaf: string;
}

export interface FileSegment {
  readonly number: number;
  readonly ticket: number;
  readonly from: number;
  readonly to: number;
  readonly public_root: string;
  readonly full_root: string;
  readonly prev_seal: string;
  readonly sealed_at: number;
  readonly key_id: string;
  readonly signature: string;
  readonly leaves: readonly (readonly [seq: number, leaf: string])[];
}

export interface TranscriptFile {
  readonly ticket: number;
  readonly audience: string;
  readonly summary: JsonObject;
  readonly entries: readonly FileEntry[];
  readonly segments: readonly FileSegment[];
}

/** @throws TypeError if it is anything else. */
export function readTranscript(value: Json): TranscriptFile {
  const file = fields(value, ["format", "ticket", "audience", "summary", "entries", "proof"]);
  const proof = fields(file.proof, ["segments"]);
  const audience = text(file.audience);
  if (text(file.format) !== FORMAT || (audience !== "all" && audience !== "staff")) throw new TypeError(`the format is not ${FORMAT}`);
  return {
    ticket: whole(file.ticket),
    audience,
    summary: object(file.summary),
    entries: list(file.entries).map(entry),
    segments: list(proof.segments).map(segment),
  };
}

const ENTRY = ["seq", "at", "kind", "audience", "role", "participant"];
const BODY = ["name", "text", "data", "attachments", "salt", "erased", "commitment"];

function entry(value: Json): FileEntry {
  const it = fields(value, ENTRY, BODY);
  const read = {
    seq: whole(it.seq),
    at: whole(it.at),
    kind: text(it.kind),
    audience: text(it.audience),
    role: text(it.role),
    participant: text(it.participant),
    name: optional(it.name, text),
    text: optional(it.text, text),
    data: optional(it.data, object),
    attachments: it.attachments === undefined ? [] : list(it.attachments).map((one) => hexText(one, 32)),
    erased: it.erased === undefined ? false : boolean(it.erased),
  };
  const salt = optional(it.salt, (one) => hexText(one, 16));
  const bare = optional(it.commitment, (one) => hexText(one, 32));
  const bound = read.erased ? bareOf(read, salt, bare) : ofBody(read, salt, bare);
  const leaf = leafHash([read.seq, read.at, read.role, read.participant, read.kind, read.audience, bound]);
  return { ...read, leaf: hex(leaf) };
}

type Body = Pick<FileEntry, "seq" | "name" | "text" | "data" | "attachments">;

function bareOf({ seq, name, text, data, attachments }: Body, salt: string | null, bare: string | null): string {
  const nothing = name === null && text === null && data === null && attachments.length === 0 && salt === null;
  if (!nothing || bare === null) throw new TypeError(`entry ${seq} is erased and is not`);
  return bare;
}

function ofBody({ seq, name, text, data, attachments }: Body, salt: string | null, bare: string | null): string {
  if (salt === null || bare !== null) throw new TypeError(`entry ${seq} has no salt`);
  return hex(commitment(bytes(salt), { attachments: [...attachments], data, name, text }));
}

const SEGMENT = ["number", "ticket", "from", "to", "public_root", "full_root", "prev_seal", "sealed_at", "key_id", "signature", "leaves"];

function segment(value: Json): FileSegment {
  const it = fields(value, SEGMENT);
  return {
    number: whole(it.number),
    ticket: whole(it.ticket),
    from: whole(it.from),
    to: whole(it.to),
    public_root: hexText(it.public_root, 32),
    full_root: hexText(it.full_root, 32),
    prev_seal: hexText(it.prev_seal, 32),
    sealed_at: whole(it.sealed_at),
    key_id: text(it.key_id),
    signature: hexText(it.signature),
    leaves: list(it.leaves).map((one) => {
      const pair = list(one);
      if (pair.length !== 2) throw new TypeError("a leaf is a number and a hash");
      return [whole(pair[0]), hexText(pair[1], 32)] as const;
    }),
  };
}

// -- what a value has to be

type Found = Json | undefined;

function fields(value: Found, needed: readonly string[], allowed: readonly string[] = []): JsonObject {
  const found = object(value);
  for (const name of needed) if (!(name in found)) throw new TypeError(`the field ${name} is missing`);
  for (const name of Object.keys(found)) {
    if (!needed.includes(name) && !allowed.includes(name)) throw new TypeError(`no proof would cover the field ${name}`);
  }
  return found;
}

function object(value: Found): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("an object is missing");
  return value;
}

function list(value: Found): Json[] {
  if (!Array.isArray(value)) throw new TypeError("a list is missing");
  return value;
}

function text(value: Found): string {
  if (typeof value !== "string") throw new TypeError("a text is missing");
  return value;
}

function boolean(value: Found): boolean {
  if (typeof value !== "boolean") throw new TypeError("true or false is missing");
  return value;
}

/** Numbers of entries, times: only such as every language has exactly. */
function whole(value: Found): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new TypeError("a whole number is missing");
  return value;
}

function hexText(value: Found, length?: number): string {
  const found = text(value);
  if (!/^(?:[0-9a-f]{2})*$/.test(found) || (length !== undefined && found.length !== length * 2)) throw new TypeError("hex digits are missing");
  return found;
}

function optional<T>(value: Found, read: (value: Json) => T): T | null {
  return value === undefined || value === null ? null : read(value);
}
