// The server's HTTP requests. Addresses are relative to the page, which may lie behind a proxy's path.

import { list, real, record, text } from "./shapes.js";
import { ProtocolError, scene as sceneShape } from "./wire.js";

const codeShape = record({ code: text, seconds: real, address: text, qr: list(text) });
const token = new URLSearchParams(globalThis.location?.search ?? "").get("token");

/** @type {Record<string, string>} */
export const headers = token ? { Authorization: `Bearer ${token}` } : {};

/** @param {string} path */
function address(path) {
  return new URL(path, document.baseURI);
}

export function sessionUrl() {
  const url = address("session");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (token) url.searchParams.set("token", token); // a WebSocket of a page cannot set headers
  return url;
}

// An <img> or a link cannot set headers either; the cookie of the first visit opens these.
/** @param {string} id */
export const thumbnailUrl = (id) => address(`scenes/${encodeURIComponent(id)}/thumbnail`).href;
/** @param {string} id */
export const plyUrl = (id) => address(`scenes/${encodeURIComponent(id)}.ply`).href;

/**
 * @param {string} filename
 * @param {string} job
 */
export function uploadUrl(filename, job) {
  const url = address("scenes");
  url.searchParams.set("filename", filename);
  url.searchParams.set("job", job);
  return url;
}

/** An answer that was no: its message is the server's sentence. */
export class RefusalError extends Error {
  /**
   * @param {string} sentence
   * @param {number} status of the answer
   */
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/**
 * All of these throw a RefusalError, or an Error where there is no answer.
 * @param {string} id
 * @param {string} name
 */
export async function renameScene(id, name) {
  const body = JSON.stringify({ name });
  const answer = await request(scenePath(id), { method: "PATCH", body });
  return sceneShape(await answer.json(), "scene");
}

/**
 * @param {string} id
 * @param {number | null} focal_35mm the photo's focal length, as on 35 mm film; null: what its prediction took
 */
export async function refocusScene(id, focal_35mm) {
  const body = JSON.stringify({ focal_35mm });
  const answer = await request(scenePath(id), { method: "PATCH", body });
  return sceneShape(await answer.json(), "scene");
}

/** @param {string} id */
export async function deleteScene(id) {
  await request(scenePath(id), { method: "DELETE", keepalive: true }); // the page may be closing
}

/**
 * Ends an upload that the server has in hands. The refusal's status is 404 where it is over already.
 * @param {string} job
 */
export async function cancelJob(job) {
  await request(`jobs/${encodeURIComponent(job)}`, { method: "DELETE" });
}

// A new code that lets one headset in; the one before is dead.
export async function newPairingCode() {
  const answer = await request("pairing", { method: "POST" });
  return codeShape(await answer.json(), "code");
}

// The sentence with which the server keeps this page out, "" if it does not: a WebSocket tells nobody why
// it was refused.
export async function whyKeptOut() {
  const answer = await fetch(address("scenes"), { headers }).catch(() => null);
  const isKeptOut = answer && [401, 403].includes(answer.status);
  return isKeptOut ? sentenceOf(await answer.text(), answer.status) : "";
}

const scenePath = (/** @type {string} */ id) => `scenes/${encodeURIComponent(id)}`;

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function request(path, options) {
  const answer = await fetch(address(path), {
    ...options,
    headers: { ...headers, "Content-Type": "application/json" },
  }).catch(() => {
    throw new Error("The server does not answer.");
  });
  if (answer.ok) return answer;
  throw new RefusalError(sentenceOf(await answer.text(), answer.status), answer.status);
}

/**
 * The server's sentence out of the body of a refusal.
 * @param {string} body
 * @param {number} status
 */
export function sentenceOf(body, status) {
  try {
    const { error } = JSON.parse(body);
    if (typeof error === "string" && error) return asSentence(error);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  return `The server answered ${status}.`;
}

/** @param {string} words */
export function asSentence(words) {
  const start = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}

/**
 * What to tell a person of something that went wrong.
 * @param {unknown} error
 */
export function sentenceFor(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The scene that an upload became. Throws ProtocolError for anything else.
 * @param {string} body
 */
export function sceneOf(body) {
  try {
    return sceneShape(JSON.parse(body), "scene");
  } catch (error) {
    if (error instanceof SyntaxError) throw new ProtocolError("the server's answer is not JSON");
    throw error;
  }
}
