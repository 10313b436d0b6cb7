import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { check } from "./check";
import { bytes } from "./hashes";

type Path = (string | number)[];
type Edit = ["set" | "insert", Path, unknown] | ["remove", Path];

interface Case {
  name: string;
  file: string;
  edits?: Edit[];
  trusted?: string[];
  problems: [what: string, seq: number | null][];
}

/** The cases that pytest reads too. */
const { public_keys, files, cases } = JSON.parse(readFileSync("docs/seal_cases.json", "utf8")) as {
  public_keys: Record<string, string>;
  files: Record<string, object>;
  cases: Case[];
};

const keys = (names = Object.keys(public_keys)) => new Map(names.map((name) => [name, bytes(public_keys[name] ?? "")]));

function edited(file: object, edits: Edit[] = []): object {
  const made = structuredClone(file);
  for (const [op, path, value] of edits) {
    const inner = path.slice(0, -1).reduce<any>((it, step) => it[step], made);
    const last = path.at(-1) as number;
    if (op === "set") inner[last] = value;
    else if (op === "insert") inner.splice(last, 0, value);
    else inner.splice(last, 1);
  }
  return made;
}

describe("verify", () => {
  it.each(cases)("$name", ({ file, edits, trusted, problems }) => {
    const body = new TextEncoder().encode(JSON.stringify(edited(files[file] ?? {}, edits)));
    expect(check(body, keys(trusted)).problems.map(({ what, seq }) => [what, seq])).toEqual(problems);
  });

  it("catches every change of any single character", () => {
    const text = JSON.stringify(files.customer);
    const body = new TextEncoder().encode(text);
    for (let at = 0; at < body.length; at += 97) {
      const changed = body.slice();
      changed[at] = (changed[at] ?? 0) ^ 4;
      expect(check(changed, keys()).problems, text.slice(at - 10, at + 10)).not.toEqual([]);
    }
  });

  it.each(["", "no", "[]", "{}", "null", "\ufeff{}", '{"format":"chat-transcript/1"}'])("answers %j", (text) => {
    expect(check(new TextEncoder().encode(text), keys()).problems.map(({ what }) => what)).toEqual(["format"]);
  });

  it("answers what is not text", () => {
    expect(check(Uint8Array.of(0xff, 0xfe), keys()).problems.map(({ what }) => what)).toEqual(["format"]);
  });
});
