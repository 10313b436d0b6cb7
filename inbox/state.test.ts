import { describe, expect, it } from "vitest";
import { HttpError } from "../client/http";
import type { Transcript } from "../client/transcript";
import { type Inbox, inboxAfter, problemOf, startInbox, ticketOfFragment } from "./state";

const transcript = { ticket: 100009, entries: [], more: false } as unknown as Transcript;
const pass = { ticket: 100009, token: "v_1" };
const reading: Inbox = { page: "transcript", pass, transcript, problem: null };

describe("startInbox", () => {
  it("goes on with the view that this tab had", () => {
    expect(startInbox(pass, "")).toEqual({ page: "loading", pass });
    expect(startInbox(pass, "#100 009")).toEqual({ page: "loading", pass });
  });

  it("asks again when the link names another ticket", () => {
    expect(startInbox(pass, "100018")).toMatchObject({ page: "form", ticket: "100018" });
  });
});

describe("inboxAfter", () => {
  it("keeps the ticket that was typed when the answer is no", () => {
    const asked = inboxAfter(startInbox(null, ""), { type: "asked", ticket: "#100 009" });
    expect(inboxAfter(asked, { type: "failed", problem: { kind: "wrong" } })).toEqual({
      page: "form",
      ticket: "#100 009",
      busy: false,
      problem: { kind: "wrong" },
    });
  });

  it("leaves on the screen what somebody reads when a later page fails", () => {
    expect(inboxAfter(reading, { type: "failed", problem: { kind: "offline" } })).toMatchObject({ page: "transcript", transcript });
  });

  it("goes back to the form when the view has expired", () => {
    expect(inboxAfter(reading, { type: "failed", problem: { kind: "expired" } })).toMatchObject({ page: "form", ticket: "100009" });
  });

  it("does not bring back a transcript after somebody has left it", () => {
    const form = inboxAfter(reading, { type: "left" });
    expect(inboxAfter(form, { type: "loaded", transcript })).toBe(form);
  });
});

describe("problemOf", () => {
  it("says the same for an unknown ticket and for one that is not yours", () => {
    expect(problemOf(new HttpError(404, "not_found", ""), false, 0)).toEqual(problemOf(new HttpError(403, "forbidden", ""), false, 0));
  });

  it("says when to try again", () => {
    expect(problemOf(new HttpError(429, "rate_limited", "", 90_000), false, 1_000)).toEqual({ kind: "wait", until: 91_000 });
  });

  it("tells an expired view from a wrong code", () => {
    expect(problemOf(new HttpError(404, "not_found", ""), true, 0)).toEqual({ kind: "expired" });
    expect(problemOf(new HttpError(404, "not_found", ""), false, 0)).toEqual({ kind: "wrong" });
  });
});

describe("ticketOfFragment", () => {
  it("reads the ticket and never anything else", () => {
    expect(ticketOfFragment("#ticket=100009&code=7K3MPQ2XWA")).toBe("100009");
    expect(ticketOfFragment("#ticket=%23100%20009")).toBe("#100 009");
    expect(ticketOfFragment("")).toBe("");
  });
});
