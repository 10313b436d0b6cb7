/** `npm run size`: what a visitor's browser loads, gzipped. Fails when typing can begin only after more than 20 KB. */

import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";

const LIMIT = 20 * 1024;
const folder = resolve(import.meta.dirname, "../chatserver/web/static");

const asset = (pattern) => readdirSync(`${folder}/assets`).filter((name) => pattern.test(name)).map((name) => `assets/${name}`);
const steps = {
  "on the page of the site": ["widget.js"],
  "when it is opened": ["widget_frame.html", ...asset(/^widget_frame-.*\.(js|css)$/)],
  "with the first key press": asset(/^room-.*\.js$/),
};

let sum = 0;
let typing = 0;
for (const [step, files] of Object.entries(steps)) {
  for (const file of files) {
    const bytes = readFileSync(`${folder}/${file}`);
    const packed = gzipSync(bytes, { level: 9 }).length;
    sum += packed;
    console.log(`${step.padEnd(26)}${file.padEnd(40)}${String(bytes.length).padStart(7)}${String(packed).padStart(8)} gzip`);
  }
  if (step === "when it is opened") typing = sum;
}
console.log(`\nUntil one can type: ${typing} bytes of ${LIMIT}. All of it: ${sum}.`);
if (typing > LIMIT) {
  console.error(`That is ${typing - LIMIT} bytes too much.`);
  process.exit(1);
}
