/**
 * The verifier of the pages (verify/seal/verify.ts) for tests in other languages: `node tests/support/verifier_bridge.mjs`.
 * One JSON line in, one JSON line out: {"keys": {key_id: hex}, "body": base64 of the file} → {"problems": [[what, seq | null], …]}.
 */

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { module: files } = await runnerImport(`${root}verify/seal/check.ts`, { root, configFile: false, logLevel: "error" });

for await (const line of createInterface({ input: process.stdin })) {
  const { keys, body } = JSON.parse(line);
  const trusted = new Map(Object.entries(keys).map(([name, key]) => [name, Buffer.from(key, "hex")]));
  const { problems } = files.check(new Uint8Array(Buffer.from(body, "base64")), trusted);
  process.stdout.write(`${JSON.stringify({ problems: problems.map(({ what, seq }) => [what, seq]) })}\n`);
}
