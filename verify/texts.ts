/** Every word of the page. */

import { plural } from "../client/format";

export const texts = {
  title: "Check a transcript",
  intro: "Was anything altered, left out or moved since a chat was closed? Choose the file you downloaded (JSON, HTML or EML). It stays on this device: this page sends nothing and works without a network.",
  choose: "Choose files",
  drop: "or drop them here",
  save: "Save this page",
  saveWhy: "A saved copy has the keys in it and can check files years from now, whatever becomes of this site.",
  keys: "Keys",
  keysWhy: "A file is verified if it was signed by one of these. They were put into this page by the site it came from.",
  noKeys: "This page holds no keys. Choose the file chat-seal-keys.json of the site that made the transcript.",
  otherKeys: "Use other keys",
  wrongKeys: (name: string) => `${name} is not a list of public seal keys.`,
  keysFrom: (name: string) => `These keys are from ${name}.`,
  verified: "Verified",
  verifiedWhy: "Every word below is as it was when it was sealed. Nothing is missing, added or moved.",
  notVerified: "Not verified",
  unreadable: "Not a transcript",
  others: (count: number) => plural(count, { one: "# further finding", other: "# further findings" }),
  entries: (count: number) => plural(count, { one: "# entry", other: "# entries" }),
  erased: (count: number) => plural(count, { one: "# lawfully erased", other: "# lawfully erased" }),
  ticket: (ticket: number) => `Ticket #${ticket}`,
  sealed: (at: string, key: string) => `Sealed ${at} with key ${key}`,
  staff: "The staff's file: notes included",
  notProved: "What the file says. It is not proved.",
  readHere: "Read it here: what is proved is what this page shows, not how the file looks in another program.",
  erasedText: "Erased",
  zone: (zone: string) => `Times are in ${zone}.`,
  unreadFile: "This file could not be read.",
} as const;
