/** The golden frames of tests/fixtures/frames: what the server's tests read, too. Both encodings of each must say the same. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { decode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import type { ServerFrame } from "./protocol";
import { parseFrames } from "./protocol";

const folder = new URL("../tests/fixtures/frames/", import.meta.url);
const frames = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => file.endsWith(".json"))
      .map((file) => JSON.parse(readFileSync(new URL(file, folder), "utf8")) as { name: string; json: Record<string, unknown>; msgpack_hex: string })
  : [];

type Fields = Record<string, "string" | "number" | "boolean" | "object">;

/** What must be there, of which type. The switch makes the compiler complain when protocol.ts has a frame that is not here. */
function fieldsOf(op: ServerFrame["op"]): Fields {
  const entry: Fields = { ticket: "number", epoch: "number", seq: "number", prev: "number", at: "number", entry_id: "string" };
  switch (op) {
    case "welcome":
      return { id: "number", connection: "string", now: "number", person: "object", limits: "object", ping_every: "number", resume_token: "string", chats: "object" };
    case "ack":
      return { id: "number" };
    case "page":
      return { ticket: "number", epoch: "number", top: "number", state: "object", reads: "object", entries: "object", more: "boolean" };
    case "snapshot":
      return { id: "number", topic: "string", version: "number", state: "object" };
    case "error":
      return { code: "string", message: "string" };
    case "entry":
      return { ...entry, audience: "string", kind: "string", role: "string", participant: "string" };
    case "durable":
      return { ticket: "number", epoch: "number", seq: "number" };
    case "event":
      return { topic: "string", type: "string" };
    case "bye":
      return { after_ms: "number", reconnect: "boolean" };
    case "ping":
    case "pong":
      return {};
  }
}

const FROM_CLIENT = ["hello", "attach", "pull", "detach", "reserve_ticket", "open_chat", "take_chat", "post_message", "post_note", "close_chat", "rate_chat", "watch", "unwatch", "read", "typing"];

describe.skipIf(frames.length === 0)("the golden frame", () => {
  it.each(frames.map((frame) => [frame.name, frame] as const))("%s says the same in JSON and in MessagePack", (_, { json, msgpack_hex }) => {
    expect(decode(Buffer.from(msgpack_hex, "hex"), { useBigInt64: false })).toEqual(json);
    expect(parseFrames(JSON.stringify(json))).toEqual([json]);
  });

  it.each(frames.filter(({ json }) => !FROM_CLIENT.includes(String(json.op))).map((frame) => [frame.name, frame] as const))(
    "%s has the fields that protocol.ts promises",
    (_, { json }) => {
      for (const [field, type] of Object.entries(fieldsOf(json.op as ServerFrame["op"]))) expect(typeof json[field], field).toBe(type);
    },
  );
});

describe("a WebSocket message", () => {
  it("may hold several frames, one a line", () => {
    expect(parseFrames('{"op":"ping"}\n{"op":"durable","ticket":1,"epoch":2,"seq":3}\n')).toEqual([{ op: "ping" }, { op: "durable", ticket: 1, epoch: 2, seq: 3 }]);
  });
});
