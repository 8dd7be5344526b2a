// Downloads a completion certificate unless the local copy is current. Waits until the certificate is available.
//
//     CRAFTKIT_API_KEY=ck_live_… node certificate.mjs URL certificate.pdf
//
// certificate.pdf.etag keeps the copy's entity tag and digest. Needs Node 18 or newer.

import { createHash, randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const PART_BYTES = 4_500_000, RESPONSE_BYTES = 5_000_000, CERTIFICATE_BYTES = 100_000_000, ERROR_BYTES = 65_536;
const PARTS = 100;
const RESPONSE_SECONDS = 60;
const PAUSES = [1, 2, 4, 8], LONGEST_PAUSE = 60; // seconds between five tries
const DEFAULT_WAIT = 30, LONGEST_WAIT = 300, ALL_WAITS = 3600; // seconds until the certificate is available
const NO_RESPONSE = 0;
const TRANSIENT = [NO_RESPONSE, 429, 500, 502, 503, 504];

const KEY = /^ck_(live|test)_[A-Za-z0-9_-]{16,128}$/;
const STRONG_TAG = /^"[!#-~]{1,200}"$/;
const TAG_FILE = /^("[!#-~]{1,200}") (sha-256=:[A-Za-z0-9+/]{43}=:)\n$/;
const CONTENT_RANGE = /^bytes ([0-9]{1,9})-([0-9]{1,9})\/([0-9]{1,9})$/;
const SECONDS = /^[0-9]{1,9}$/;
const DATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/** Returns false if the copy is current. */
export async function update(file, url, key) {
  const tagFile = `${file}.etag`;
  const certificate = await download(url, key, readTag(file, tagFile));
  if (!certificate) return false;
  rmSync(tagFile, { force: true }); // first: the old tag must never accompany the new copy
  replace(file, certificate.content);
  if (certificate.etag) replace(tagFile, `${certificate.etag} ${digest(certificate.content)}\n`);
  return true;
}

/** Returns the certificate's content and etag, or null if `etag` is still current. */
export async function download(url, key, etag = null) {
  if (!KEY.test(key)) throw failure("CRAFTKIT_API_KEY is not an API key.");
  const response = await waitForCertificate(url, key, etag ? { "If-None-Match": etag } : {});
  if (response.status === 304 && etag) return null;
  if (response.status === 413) return downloadParts(url, key);
  if (response.status !== 200) throw describeError(response);
  if (response.headers.get("Repr-Digest") !== digest(response.body)) {
    throw failure("The certificate arrived damaged: its SHA-256 is not that of Repr-Digest.");
  }
  return { content: response.body, etag: strongTag(response) };
}

async function downloadParts(url, key) {
  let content = Buffer.alloc(0), etag, size;
  for (let round = 0; round < PARTS; round++) {
    const end = content.length + PART_BYTES - 1;
    const headers = { Range: `bytes=${content.length}-${end}`, ...(etag && { "If-Range": etag }) };
    const response = await ask(url, key, headers);
    if (response.status !== 206) throw describeError(response);
    const matched = CONTENT_RANGE.exec(response.headers.get("Content-Range")) ?? [0, 0, 0, 0];
    const [first, last, whole] = matched.slice(1).map(Number);
    etag ??= strongTag(response);
    size ??= whole;
    const isNext = content.length === first && first <= last && last <= end && last < whole;
    const isWhole = last + 1 - first === response.body.length;
    const isSame = etag && strongTag(response) === etag && whole === size && size <= CERTIFICATE_BYTES;
    if (!(isNext && isWhole && isSame)) throw failure("The parts do not belong together.");
    content = Buffer.concat([content, response.body]);
    if (content.length === size) return { content, etag };
  }
  throw failure("The certificate arrived in too many parts.");
}

/** Without Retry-After, 409 is final: there will be no certificate. */
async function waitForCertificate(url, key, headers) {
  for (let waited = 0; ; ) {
    const response = await ask(url, key, headers);
    if (response.status !== 409 || !response.headers.get("Retry-After")) return response;
    const seconds = Math.min(Math.max(readRetryAfter(response) ?? DEFAULT_WAIT, 1), LONGEST_WAIT);
    waited += seconds;
    if (waited > ALL_WAITS) throw failure("The certificate is not available yet. Ask again later.");
    await setTimeout(1000 * seconds);
  }
}

/** Tries up to five times. */
async function ask(url, key, headers) {
  for (const pause of PAUSES) {
    const response = await get(url, key, headers);
    if (!TRANSIENT.includes(response.status)) return response;
    await setTimeout(1000 * Math.min(Math.max(pause, readRetryAfter(response) ?? 0), LONGEST_PAUSE));
  }
  return get(url, key, headers);
}

async function get(url, key, more) {
  const headers = { Accept: "application/pdf", "Accept-Encoding": "identity", Authorization: `Bearer ${key}`, ...more };
  const signal = AbortSignal.timeout(1000 * RESPONSE_SECONDS);
  try {
    const response = await fetch(url, { headers, redirect: "manual", signal });
    const limit = [200, 206].includes(response.status) ? RESPONSE_BYTES : ERROR_BYTES;
    let body = Buffer.alloc(0);
    for await (const chunk of response.body ?? []) {
      body = Buffer.concat([body, chunk]);
      if (body.length > limit) break;
    }
    return { status: response.status, headers: response.headers, body };
  } catch (error) {
    const reason = error.cause?.message || error.cause?.code || error.message;
    return { status: NO_RESPONSE, headers: new Headers(), body: reason };
  }
}

/** Returns the seconds, also if the value is a date (RFC 9110 §10.2.3), or null if it is invalid. */
function readRetryAfter({ headers }) {
  const text = headers.get("Retry-After") ?? "";
  if (SECONDS.test(text)) return Number(text);
  const time = DATE.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? null : Math.ceil((time - Date.now()) / 1000);
}

function strongTag({ headers }) {
  const etag = headers.get("ETag");
  return STRONG_TAG.test(etag) ? etag : null;
}

function describeError({ status, body }) {
  if (status === NO_RESPONSE) return failure(`No complete response: ${body}`);
  try {
    const { code, message } = JSON.parse(body).error;
    return failure(code && message ? `HTTP ${status} ${code}: ${message}` : `HTTP ${status}`);
  } catch {
    return failure(`HTTP ${status}`);
  }
}

/** A terminal obeys control characters. */
const failure = (text) => new Error(text.replace(/[^ -~]/g, "?").slice(0, 300));

/** Returns the digest in the form of Repr-Digest. */
const digest = (content) => `sha-256=:${createHash("sha256").update(content).digest("base64")}:`;

/** Returns the copy's entity tag, or null if the copy has changed since it was saved. */
function readTag(file, tagFile) {
  if (!existsSync(file) || !existsSync(tagFile)) return null;
  const matched = TAG_FILE.exec(readFileSync(tagFile, "latin1"));
  return matched && matched[2] === digest(readFileSync(file)) ? matched[1] : null;
}

/** Writes the file whole or not at all. */
function replace(file, content) {
  const part = `${file}.part.${randomUUID()}`;
  const descriptor = openSync(part, "wx", 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
    renameSync(part, file);
  } finally {
    closeSync(descriptor);
    rmSync(part, { force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [url, file] = process.argv.slice(2);
  try {
    console.log(file, (await update(file, url, process.env.CRAFTKIT_API_KEY)) ? "downloaded" : "is current");
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
