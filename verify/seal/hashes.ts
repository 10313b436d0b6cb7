/** What a seal is made of (docs/seal.md): commitments, leaves, Merkle roots as in RFC 6962 §2.1, Ed25519 signatures. */

import { hashes, verify } from "@noble/ed25519";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { canonical } from "./canonical";
import type { Json } from "./json";

hashes.sha512 = sha512;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const hex = bytesToHex;
export const bytes = hexToBytes;

export const sha256OfCanonical = (value: Json): Uint8Array => sha256(utf8ToBytes(canonical(value)));

export function commitment(salt: Uint8Array, body: Json): Uint8Array {
  return sha256(concatBytes(salt, utf8ToBytes(canonical(body))));
}

export function leafHash(fields: Json[]): Uint8Array {
  return sha256(concatBytes(LEAF, utf8ToBytes(canonical(fields))));
}

/** The root over leaf hashes, in their order. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return sha256(new Uint8Array());
  if (leaves.length === 1) return first;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(concatBytes(NODE, merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split))));
}

/** The name of a public key. */
export const keyIdOf = (publicKey: Uint8Array): string => hex(sha256(publicKey)).slice(0, 16);

export function isSigned(signature: Uint8Array, value: Json, publicKey: Uint8Array): boolean {
  try {
    // As RFC 8032 has it, not the more lenient ZIP 215: the same answer as OpenSSL's.
    return verify(signature, utf8ToBytes(canonical(value)), publicKey, { zip215: false });
  } catch {
    return false; // a length that no signature or key has
  }
}
