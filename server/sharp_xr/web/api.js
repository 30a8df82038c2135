// The server's HTTP requests. Addresses are relative to the page, which may lie behind a proxy's path.

import { ProtocolError, scene as sceneShape } from "./wire.js";

const token = new URLSearchParams(globalThis.location?.search ?? "").get("token");

export const headers = token ? { Authorization: `Bearer ${token}` } : {};

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
export const thumbnailUrl = (id) => address(`scenes/${encodeURIComponent(id)}/thumbnail`).href;
export const plyUrl = (id) => address(`scenes/${encodeURIComponent(id)}.ply`).href;

export function uploadUrl(filename, job) {
  const url = address("scenes");
  url.searchParams.set("filename", filename);
  url.searchParams.set("job", job);
  return url;
}

// All of these throw an Error whose message is the server's sentence, and whose `status` is the answer's.
export async function renameScene(id, name) {
  const body = JSON.stringify({ name });
  const answer = await request(scenePath(id), { method: "PATCH", body });
  return sceneShape(await answer.json(), "scene");
}

// The photo's focal length, as on 35 mm film; null: what its prediction took.
export async function refocusScene(id, focal_35mm) {
  const body = JSON.stringify({ focal_35mm });
  const answer = await request(scenePath(id), { method: "PATCH", body });
  return sceneShape(await answer.json(), "scene");
}

export async function deleteScene(id) {
  await request(scenePath(id), { method: "DELETE", keepalive: true }); // the page may be closing
}

// Ends an upload that the server has in hands. The Error's `status` is 404 where it is over already.
export async function cancelJob(job) {
  await request(`jobs/${encodeURIComponent(job)}`, { method: "DELETE" });
}

// The sentence with which the server keeps this page out, "" if it does not: a WebSocket tells nobody why
// it was refused.
export async function whyKeptOut() {
  const answer = await fetch(address("scenes"), { headers }).catch(() => null);
  const isKeptOut = answer && [401, 403].includes(answer.status);
  return isKeptOut ? sentenceOf(await answer.text(), answer.status) : "";
}

const scenePath = (id) => `scenes/${encodeURIComponent(id)}`;

async function request(path, options) {
  const answer = await fetch(address(path), {
    ...options,
    headers: { ...headers, "Content-Type": "application/json" },
  }).catch(() => {
    throw new Error("The server does not answer.");
  });
  if (answer.ok) return answer;
  const sentence = sentenceOf(await answer.text(), answer.status);
  throw Object.assign(new Error(sentence), { status: answer.status });
}

// The server's sentence out of the body of a refusal.
export function sentenceOf(body, status) {
  try {
    const { error } = JSON.parse(body);
    if (typeof error === "string" && error) return asSentence(error);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  return `The server answered ${status}.`;
}

export function asSentence(words) {
  const start = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}

// The scene that an upload became. Throws ProtocolError for anything else.
export function sceneOf(body) {
  try {
    return sceneShape(JSON.parse(body), "scene");
  } catch (error) {
    if (error instanceof SyntaxError) throw new ProtocolError("the server's answer is not JSON");
    throw error;
  }
}
