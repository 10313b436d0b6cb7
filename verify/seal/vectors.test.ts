import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canonical } from "./canonical";
import { bytes, commitment, hex, isSigned, keyIdOf, leafHash, merkleRoot, sha256OfCanonical } from "./hashes";
import { type JsonObject, readJson } from "./json";

/** The vectors that pytest reads too. */
const vectors = readJson(readFileSync("docs/seal_vectors.json", "utf8")) as Record<string, JsonObject[]> & { segment: Record<string, string> };

describe("canonical JSON", () => {
  it.each(vectors.canonical!.map(({ value, canonical: expected }) => [String(expected), value]))("%s", (expected, value) => {
    expect(canonical(value as never)).toBe(expected);
  });

  it("writes whole numbers with all their digits", () => {
    expect(canonical(readJson("18446744073709551617"))).toBe("18446744073709551617");
  });

  it.each(["1e400", '"\\ud800"', '"\\udc00x"', '{"\\ud800":1}'])("has none for %s", (text) => {
    expect(() => canonical(readJson(text))).toThrow(RangeError);
  });
});

describe("hashes", () => {
  it.each(vectors.commitments!)("commitment $commitment", ({ salt, body, canonical_body, commitment: expected }) => {
    expect(canonical(body!)).toBe(canonical_body);
    expect(hex(commitment(bytes(salt as string), body!))).toBe(expected);
  });

  it.each(vectors.leaves!)("leaf $leaf", ({ seq, at, role, participant, kind, audience, commitment: bound, encoded, leaf }) => {
    const fields = [seq!, at!, role!, participant!, kind!, audience!, bound!];
    expect(canonical(fields)).toBe(encoded);
    expect(hex(leafHash(fields))).toBe(leaf);
  });

  it.each(vectors.roots!)("root $root", ({ leaves, root }) => {
    expect(hex(merkleRoot((leaves as string[]).map(bytes)))).toBe(root);
  });
});

describe("the signature of a segment", () => {
  const { public_key, key_id, signed_bytes, signature, digest } = vectors.segment as { [name: string]: string };
  const said = readJson(signed_bytes!);
  const key = bytes(public_key!);

  it("holds, and names its key", () => {
    expect(canonical(said)).toBe(signed_bytes);
    expect(keyIdOf(key)).toBe(key_id);
    expect(hex(sha256OfCanonical(said))).toBe(digest);
    expect(isSigned(bytes(signature!), said, key)).toBe(true);
  });

  it("holds by the browser's own Ed25519 too", async () => {
    const imported = await crypto.subtle.importKey("raw", key as BufferSource, "Ed25519", false, ["verify"]);
    expect(await crypto.subtle.verify("Ed25519", imported, bytes(signature!) as BufferSource, new TextEncoder().encode(signed_bytes))).toBe(true);
  });

  it("does not hold for anything else", () => {
    const other = bytes(signature!);
    other[0] = (other[0] ?? 0) ^ 1;
    expect(isSigned(other, said, key)).toBe(false);
    expect(isSigned(bytes(signature!), { ...(said as object), ticket: 100014 }, key)).toBe(false);
    expect(isSigned(bytes(signature!).slice(1), said, key)).toBe(false);
    expect(isSigned(bytes(signature!), said, key.slice(1))).toBe(false);
  });
});
