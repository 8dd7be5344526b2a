// Downloads a completion certificate, unless the copy at hand is current, and waits until there is one.
//
//     CRAFTKIT_API_KEY=ck_live_… node certificate.mjs URL certificate.pdf
//
// certificate.pdf.etag keeps the copy's entity tag. Needs Node 18 or newer.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const PART = 4_500_000;
const PAUSES = [1, 2, 4, 8]; // seconds between five tries

/** False: the copy is current. */
export async function update(file, url, key) {
  const tag = `${file}.etag`;
  const etag = existsSync(file) && existsSync(tag) ? readFileSync(tag, "utf8") : null;
  const certificate = await download(url, key, etag);
  if (!certificate) return false;
  writeFileSync(file, certificate.content);
  writeFileSync(tag, certificate.etag);
  return true;
}

/** The certificate's content and etag. Null: it is still that of `etag`. */
export async function download(url, key, etag = null) {
  const get = (headers) => ask(url, { Authorization: `Bearer ${key}`, ...headers });
  const answer = await get(etag ? { "If-None-Match": etag } : {});
  if (answer.status === 304) return null;
  if (answer.status === 413) return inParts(get);
  if (answer.status !== 200) throw await refusal(answer);
  const content = Buffer.from(await answer.arrayBuffer());
  const digest = createHash("sha256").update(content).digest("base64");
  if (answer.headers.get("Repr-Digest") !== `sha-256=:${digest}:`) {
    throw new Error("The certificate came damaged: its SHA-256 is not that of Repr-Digest.");
  }
  return { content, etag: answer.headers.get("ETag") };
}

async function inParts(get) {
  let content = Buffer.alloc(0);
  let etag, size;
  while (content.length !== size) {
    const headers = { Range: `bytes=${content.length}-${content.length + PART - 1}` };
    if (etag) headers["If-Range"] = etag; // keeps parts of two certificates apart
    const answer = await get(headers);
    if (answer.status === 200) throw new Error("Another certificate came instead of the next part.");
    if (answer.status !== 206) throw await refusal(answer);
    content = Buffer.concat([content, Buffer.from(await answer.arrayBuffer())]);
    etag = answer.headers.get("ETag");
    size = Number(answer.headers.get("Content-Range").split("/")[1]);
  }
  return { content, etag };
}

/** The answer, when there is no use in another try. */
async function ask(url, headers) {
  const pauses = [...PAUSES];
  for (;;) {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
    const retryAfter = Number(answer.headers.get("Retry-After"));
    if (answer.status === 409 && retryAfter) { // not available yet
      await setTimeout(1000 * retryAfter);
    } else if ([429, 500, 502, 503].includes(answer.status) && pauses.length) {
      await setTimeout(1000 * Math.max(pauses.shift(), retryAfter));
    } else {
      return answer;
    }
  }
}

const refusal = async (answer) => new Error(`${answer.status} ${await answer.text()}`);

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [url, file] = process.argv.slice(2);
  console.log(file, (await update(file, url, process.env.CRAFTKIT_API_KEY)) ? "downloaded" : "is current");
}
