/**
 * Checks an exported transcript against its seal, as transcripts/verify.py does; docs/seal_cases.json holds both to the same
 * answers. Needs the file and the public keys, nothing else.
 */

import { canonical } from "./canonical";
import { bytes, hex, isSigned, merkleRoot, sha256OfCanonical } from "./hashes";
import type { Json } from "./json";
import { summaryOf } from "./summary";
import { type FileEntry, type FileSegment, readTranscript, type TranscriptFile } from "./transcript_file";

export type What = "altered" | "missing" | "added" | "reordered" | "erased" | "unsealed" | "signature" | "proof" | "unknown_key" | "format";

/** One thing that is not as it was sealed; `seq` is the entry it is about. */
export interface Problem {
  readonly what: What;
  readonly seq: number | null;
  readonly message: string;
}

export interface Verification {
  /** What is in the file; null if it cannot be read as a transcript. */
  readonly file: TranscriptFile | null;
  /** In the order of the entries; empty: everything in the file is proved. */
  readonly problems: readonly Problem[];
}

/** {key_id: public key} that the reader trusts. */
export type Keys = ReadonlyMap<string, Uint8Array>;

export function verify(value: Json, keys: Keys): Verification {
  let file: TranscriptFile;
  let summary: string;
  try {
    file = readTranscript(value);
    summary = canonical(file.summary);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { file: null, problems: [{ what: "format", seq: null, message: `This is not an exported transcript: ${why}.` }] };
  }
  const problems = [...found(file, keys)];
  if (summary !== canonical(summaryOf(file.entries))) problems.push({ what: "altered", seq: null, message: "The summary does not say what the entries say." });
  return { file, problems: problems.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0) };
}

function* found(file: TranscriptFile, keys: Keys): Generator<Problem> {
  yield* segments(file, keys);
  const entriesWrong = [...order(file), ...content(file)];
  yield* entriesWrong;
  if (entriesWrong.length === 0) yield* erasures(file); // what is not proved explains no erasure
  yield* unsealed(file);
}

/** The entries of every segment are the sealed ones. */
function* content(file: TranscriptFile): Generator<Problem> {
  for (const segment of file.segments) {
    const inside = file.entries.filter(({ seq }) => segment.from <= seq && seq <= segment.to);
    yield* roots(file, segment, inside);
    yield* leaves(segment, inside);
  }
}

/** The numbers rise, and a customer's file has only what is for everybody. */
function* order({ entries, audience }: TranscriptFile): Generator<Problem> {
  let last = 0;
  for (const entry of entries) {
    const { seq } = entry;
    if (seq <= last) yield { what: "reordered", seq, message: `Entry ${seq} stands behind entry ${last}.` };
    if (audience === "all" && entry.audience !== "all") yield { what: "altered", seq, message: `Entry ${seq} is not for customers.` };
    last = Math.max(last, seq);
  }
}

/** Every segment is signed for this chat, they follow each other, and their order in the chain fits. */
function* segments(file: TranscriptFile, keys: Keys): Generator<Problem> {
  let following = 1;
  let before: FileSegment | null = null;
  for (const segment of file.segments) {
    const { from: seq, to, key_id } = segment;
    const name = nameOf(segment);
    const key = keys.get(key_id);
    if (key === undefined) yield { what: "unknown_key", seq, message: `${name} is signed with key ${key_id}, which is not known here.` };
    else if (!isSigned(bytes(segment.signature), signedOf(segment), key)) yield { what: "signature", seq, message: `The signature of ${name} does not hold.` };
    if (segment.ticket !== file.ticket) yield { what: "proof", seq, message: `${name} is of chat #${segment.ticket}, not of #${file.ticket}.` };
    if (seq !== following || to < seq) yield { what: "proof", seq: following, message: `No segment covers entry ${following}.` };
    if (before !== null && !follows(before, segment)) yield { what: "proof", seq, message: `${name} does not follow the segment before it.` };
    following = to + 1;
    before = segment;
  }
}

function follows(before: FileSegment, segment: FileSegment): boolean {
  if (segment.number <= before.number) return false;
  return segment.number !== before.number + 1 || segment.prev_seal === hex(sha256OfCanonical(signedOf(before)));
}

/** What the signature is over. */
function signedOf({ leaves, signature, ...said }: FileSegment): Json {
  return { format: "chat-seal/1", ...said };
}

/** The file's list of leaves is the signed one; from then on it says which entry is wrong. */
function* roots(file: TranscriptFile, segment: FileSegment, inside: readonly FileEntry[]): Generator<Problem> {
  const listed = rootOf(segment.leaves.map(([, leaf]) => leaf));
  const shown = rootOf(inside.filter(({ audience }) => audience === "all").map(({ leaf }) => leaf));
  const same = segment.leaves.length === inside.length && segment.leaves.every(([, leaf], place) => leaf === inside[place]?.leaf);
  const { from: seq } = segment;
  if (listed !== (file.audience === "staff" ? segment.full_root : segment.public_root)) {
    yield { what: "proof", seq, message: `The leaves listed for ${nameOf(segment)} are not the sealed ones.` };
  } else if (shown !== segment.public_root && file.audience === "staff" && same) {
    yield { what: "altered", seq, message: `${nameOf(segment)} was sealed with other entries for everybody.` };
  }
}

const rootOf = (leaves: readonly string[]): string => hex(merkleRoot(leaves.map(bytes)));

/** Names the first entry of the segment that is not the sealed one. */
function* leaves(segment: FileSegment, inside: readonly FileEntry[]): Generator<Problem> {
  const known = new Set(segment.leaves.map(([, leaf]) => leaf));
  const present = new Set(inside.map(({ leaf }) => leaf));
  for (let place = 0; place < Math.max(segment.leaves.length, inside.length); place += 1) {
    const sealed = segment.leaves[place];
    const entry = inside[place];
    if (sealed !== undefined && (entry === undefined || (!present.has(sealed[1]) && known.has(entry.leaf)))) {
      yield { what: "missing", seq: sealed[0], message: `Entry ${sealed[0]} is missing.` };
      return;
    }
    if (entry === undefined) return;
    const { seq, leaf } = entry;
    if (sealed === undefined || (!known.has(leaf) && present.has(sealed[1]))) {
      yield { what: "added", seq, message: `Entry ${seq} was not there when the chat was sealed.` };
      return;
    }
    if (leaf !== sealed[1]) {
      if (known.has(leaf)) yield { what: "reordered", seq, message: `Entry ${seq} stands in another place than when it was sealed.` };
      else yield { what: "altered", seq, message: `Entry ${seq} is not as it was sealed.` };
      return;
    }
    if (seq !== sealed[0]) {
      yield { what: "proof", seq, message: `The list of leaves names entry ${seq} wrongly.` };
      return;
    }
  }
}

/** A body may be gone only if a later, sealed `redacted` entry names it. */
function* erasures(file: TranscriptFile): Generator<Problem> {
  const redacted = new Map<Json, number>();
  for (const { kind, seq, data } of file.entries) {
    if (kind !== "redacted" || seq > sealedTo(file) || !Array.isArray(data?.entries)) continue;
    for (const named of data.entries) redacted.set(named, seq);
  }
  for (const { seq, erased } of file.entries) {
    if (erased && (redacted.get(seq) ?? 0) <= seq) yield { what: "erased", seq, message: `Entry ${seq} has lost its body, and no sealed entry says why.` };
  }
}

function* unsealed(file: TranscriptFile): Generator<Problem> {
  const first = file.entries.find(({ seq }) => seq > sealedTo(file));
  if (first !== undefined) yield { what: "unsealed", seq: first.seq, message: `Entry ${first.seq} and what follows is not sealed yet.` };
}

export const sealedTo = ({ segments }: TranscriptFile): number => segments.at(-1)?.to ?? 0;

const nameOf = ({ from, to }: FileSegment): string => `segment ${from}–${to}`;
