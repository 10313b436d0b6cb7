import { describe, expect, it } from "vitest";
import { readJson } from "./json";

describe("readJson", () => {
  it.each(['{"a":[1,-2.5e3,true,false,null,"x\\n\\u00e9\\/"],"b":{}}', " [ ] ", '"\\ud83d\\ude00"', "0", '{"a":{"b":[[]]}}'])("reads %s as everybody does", (text) => {
    expect(readJson(text)).toEqual(JSON.parse(text));
  });

  it("keeps the digits of large whole numbers", () => {
    expect(readJson("[9007199254740993, 9007199254740991]")).toEqual([9007199254740993n, 9007199254740991]);
  });

  it("takes __proto__ for a key like any other", () => {
    const read = readJson('{"__proto__":{"admin":true}}') as Record<string, unknown>;
    expect(Object.keys(read)).toEqual(["__proto__"]);
    expect((read as { admin?: boolean }).admin).toBeUndefined();
  });

  it.each(['{"a":1,"a":1}', "[1,]", "{,}", "[1 2]", "01", "+1", ".5", "1.", "NaN", "'a'", '"\n"', '"\\x"', "[1] 2", "", "[", '{"a"}', "tru", `${"[".repeat(500)}${"]".repeat(500)}`])("refuses %s", (text) => {
    expect(() => readJson(text)).toThrow(SyntaxError);
  });
});
