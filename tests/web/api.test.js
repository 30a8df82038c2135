import assert from "node:assert/strict";
import { test } from "node:test";

import { asSentence, refocusScene, sceneOf, sentenceOf, whyKeptOut } from "../../server/sharp_xr/web/api.js";
import { told } from "./golden.js";

test("shows the server's sentence as a sentence", () => {
  assert.equal(sentenceOf('{"error": "that is a text, wanted a photo"}', 400), "That is a text, wanted a photo.");
  assert.equal(asSentence("Is it done?"), "Is it done?");
});

test("says the status where an answer has no sentence", () => {
  for (const body of ["<html>", "null", '{"error": ""}', '{"error": 7}', ""]) {
    assert.equal(sentenceOf(body, 502), "The server answered 502.");
  }
});

test("takes a scene from an answer, and nothing else", () => {
  const { scene } = told("scene_ready");
  assert.deepEqual(sceneOf(JSON.stringify(scene)), scene);
  assert.throws(() => sceneOf("{}"), /scene\.id is undefined/);
  assert.throws(() => sceneOf("<html>"), /not JSON/);
});

test("another focal length is asked for in millimetres, and a refusal carries its status", async () => {
  /** @type {unknown[]} */
  const asked = [];
  const fetch = async (/** @type {URL} */ url, /** @type {{method: string, body: string}} */ { method, body }) => {
    asked.push([method, url.pathname, JSON.parse(body)]);
    const text = async () => '{"error": "nobody knows the photo"}';
    return { ok: false, status: 400, text };
  };
  Object.assign(globalThis, { fetch, document: { baseURI: "http://server/xr/" } });
  await assert.rejects(refocusScene("a b", 35), { message: "Nobody knows the photo.", status: 400 });
  assert.deepEqual(asked, [["PATCH", "/xr/scenes/a%20b", { focal_35mm: 35 }]]);
});

test("asks why it is kept out, and takes silence and success for no reason", async () => {
  Object.assign(globalThis, { document: { baseURI: "http://server/" } });
  const answering = (/** @type {number} */ status) => {
    const fetch = async () => ({ status, text: async () => '{"error": "wrong token"}' });
    Object.assign(globalThis, { fetch });
    return whyKeptOut();
  };
  assert.deepEqual([await answering(401), await answering(200), await answering(503)], ["Wrong token.", "", ""]);
  globalThis.fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  assert.equal(await whyKeptOut(), "");
});
