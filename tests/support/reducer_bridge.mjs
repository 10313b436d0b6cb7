/**
 * The reducer of the pages (client/chat_state.ts) for tests in other languages: `node tests/support/reducer_bridge.mjs`.
 * One JSON line in, one JSON line out, until stdin ends. A line is one chat from its beginning:
 *
 *   {"reader": "customer" | "staff", "device": "…", "ticket": 100009, "now"?: ms, "frames": [frame, …]}
 *
 * `frames` are those of docs/protocol.md, in the order in which they came: `page` (the snapshot; with or without `reset`), `entry`,
 * `durable`, `event` of topic `chat`, `ack` (with "key" of the command it answers, or without); and what this device did itself:
 * `post_message`, `post_note`, `close_chat`, `rate_chat` with "key", "n" and "at", `numbered` {key, n}, `failed` {key, code} and
 * `discard` {key}. The answer is what a person would see, and what the client would ask for:
 *
 *   {"position": {epoch, seq, entry_id} | {}, "needs_pull": …, "more": …, "durable": {epoch, seq}, "reads": {…}, "info": … | null,
 *    "log": [entry + {"own", "status"}, …], "early": [seq, …], "pending": [{key, n, kind, text?, status, code?}, …],
 *    "unread": …, "typing": [{participant, name?}, …]}
 *
 * A line that is not understood is answered {"error": "…"}. tests/support/reducer.py speaks this from Python.
 */

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { module: reducer } = await runnerImport(`${root}client/chat_state.ts`, { root, configFile: false, logLevel: "error" });

const KINDS = { post_message: "message", post_note: "note", close_chat: "closed", rate_chat: "rated" };

function actionOf(frame, now) {
  switch (frame.op) {
    case "page":
      return { type: "page", page: frame };
    case "entry":
      return { type: "entry", entry: frame };
    case "durable":
      return { type: "durable", durable: frame };
    case "event":
      return { type: "event", event: frame, now };
    case "ack":
      return { type: "ack", ack: frame, key: frame.key };
    case "numbered":
    case "failed":
    case "discard": {
      const { op, ...rest } = frame;
      return { ...rest, type: op };
    }
    default: {
      const kind = KINDS[frame.op];
      if (!kind) throw new Error(`no frame of a chat: ${frame.op}`);
      const { key, n, text, at = 0, rating } = frame;
      return { type: "command", key, n, kind, text, at, data: rating === undefined ? undefined : { rating } };
    }
  }
}

function viewOf({ reader, device, ticket, now = 0, frames }) {
  const state = frames.reduce((before, frame) => reducer.reduceChat(before, actionOf(frame, now)), reducer.newChat(ticket, reader, device));
  return {
    position: reducer.positionOf(state),
    needs_pull: reducer.needsPull(state),
    more: state.more,
    durable: state.durable,
    reads: state.reads,
    info: state.info ?? null,
    log: state.log.map((entry) => ({ ...entry, own: reducer.isOwn(state, entry), status: reducer.statusOf(state, entry) })),
    early: state.early.map(({ seq }) => seq),
    pending: state.pending,
    unread: reducer.unreadCount(state),
    typing: reducer.typingNow(state, now),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = viewOf(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
