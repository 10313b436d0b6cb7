import { describe, expect, it } from "vitest";
import { linkPlaces } from "./links";

const links = (text: string) => linkPlaces(text).map(({ start, end }) => text.slice(start, end));

describe("linkPlaces", () => {
  it("finds addresses among words", () => {
    expect(links("See https://shop.example/a?b=1#c and HTTP://Other.example now")).toEqual(["https://shop.example/a?b=1#c", "HTTP://Other.example"]);
    expect(links("שלום https://shop.example/חנות טוב")).toEqual(["https://shop.example/חנות"]);
    expect(links("no address, www.shop.example neither")).toEqual([]);
  });

  it("leaves what ends the sentence outside", () => {
    expect(links("Is it https://shop.example/a.html?")).toEqual(["https://shop.example/a.html"]);
    expect(links("(see https://shop.example/a).")).toEqual(["https://shop.example/a"]);
    expect(links("https://shop.example/a_(b)...")).toEqual(["https://shop.example/a_(b)"]);
    expect(links("“https://shop.example/” 'https://shop.example/b'")).toEqual(["https://shop.example/", "https://shop.example/b"]);
    expect(links(`https://shop.example/${")".repeat(4_000)}`)).toEqual(["https://shop.example/"]);
  });

  it("links nothing but http and https", () => {
    for (const text of ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "ftp://shop.example", "//shop.example", "java\nscript://x", "https://", "http:// x", "https://%"]) {
      expect(links(text)).toEqual([]);
    }
    expect(links("javascript://%0aalert(1)//https://shop.example")).toEqual(["https://shop.example"]);
  });

  it("ends at quotes and markup", () => {
    expect(links('https://shop.example/"onmouseover="alert(1)')).toEqual(["https://shop.example/"]);
    expect(links("https://shop.example/'><img src=x onerror=alert(1)>")).toEqual(["https://shop.example/"]);
    expect(links("<a href=https://shop.example/a>b</a>")).toEqual(["https://shop.example/a"]);
    expect(links("https://shop.example\\@evil.example")).toEqual(["https://shop.example"]);
  });

  it("ends where the direction of writing is steered", () => {
    for (const sign of ["\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\u0000"]) expect(links(`https://shop.example/${sign}gpj.exe`)).toEqual(["https://shop.example/"]);
  });

  it("links no address that pretends to be another, nor a masked one", () => {
    expect(links("https://bank.example@evil.example/ https://a:b@evil.example")).toEqual([]);
    expect(links("https://shop.example/pay/•••• 1111")).toEqual([]);
  });
});
