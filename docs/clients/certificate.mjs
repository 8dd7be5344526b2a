// Downloads one completion certificate of at most 4.5 MB, checks its digest, and tries again when the API says so.
// A larger certificate needs certificate.py, or the loop over ranges in README.md.
//
//     CRAFTKIT_API_KEY=ck_live_… node certificate.mjs URL certificate.pdf
//
// Needs Node 18 or newer.

import { createHash } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(\/|$)/;
const TRANSIENT = [0, 429, 500, 502, 503, 504];

async function get(url, key) {
  const headers = { Accept: "application/pdf", Authorization: `Bearer ${key}` };
  try {
    const response = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(60_000) });
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
  } catch (error) {
    return { status: 0, headers: new Headers(), body: String(error.cause?.code ?? error.message) };
  }
}

async function download(url, key) {
  if (!/^ck_(live|test)_[A-Za-z0-9_-]{16,128}$/.test(key)) throw new Error("CRAFTKIT_API_KEY is not an API key.");
  // The key goes to no other machine without TLS.
  if (!url.startsWith("https://") && !LOOPBACK.test(url)) throw new Error("The URL must begin with https://.");
  for (let tries = 0, waited = 0; ; ) {
    const { status, headers, body } = await get(url, key);
    const message = `HTTP ${status} ${body.toString("latin1").slice(0, 300)}`;
    const retryAfter = headers.get("Retry-After");
    if (status === 200) {
      const digest = createHash("sha256").update(body).digest("base64");
      if (headers.get("Repr-Digest") === `sha-256=:${digest}:`) return body;
      throw new Error("The certificate arrived damaged: its SHA-256 is not that of Repr-Digest.");
    }
    if (TRANSIENT.includes(status)) tries++;
    // Without Retry-After, 409 is final: there will be no certificate.
    if (tries === 5 || !(TRANSIENT.includes(status) || (status === 409 && retryAfter))) throw new Error(message);
    const seconds = /^[1-9][0-9]{0,3}$/.test(retryAfter) ? Number(retryAfter) : status === 409 ? 30 : 2 ** tries / 2;
    waited += seconds;
    if (waited > 3600) throw new Error(`Still no certificate after an hour. ${message}`);
    await setTimeout(1000 * seconds);
  }
}

const [url, file] = process.argv.slice(2);
const part = `${file}.part.${process.pid}`;
try {
  await writeFile(part, await download(url, process.env.CRAFTKIT_API_KEY ?? ""), { mode: 0o600 });
  await rename(part, file);
  console.log(file, "downloaded");
} catch (error) {
  console.error(error.message.replace(/[^ -~]/g, "")); // a terminal obeys control characters
  process.exitCode = 1;
} finally {
  await rm(part, { force: true });
}
