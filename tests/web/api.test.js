import assert from "node:assert/strict";
import { test } from "node:test";

import { asSentence, sceneOf, sentenceOf } from "../../server/sharp_xr/web/api.js";
import { fromServer } from "./golden.js";

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
  const { scene } = fromServer.find(({ name }) => name === "scene ready").message;
  assert.deepEqual(sceneOf(JSON.stringify(scene)), scene);
  assert.throws(() => sceneOf("{}"), /scene\.id is undefined/);
  assert.throws(() => sceneOf("<html>"), /not JSON/);
});
