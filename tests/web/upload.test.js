import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Upload, sent, served } from "../../server/sharp_xr/web/upload.js";
import { told } from "./golden.js";
import { standIn } from "./standin.js";

const { scene } = told("scene_ready");
/** @type {FakeRequest} */
let request;
/** @type {string[]} */
let asked; // of the server, by fetch
/** @type {{status: number, error: string} | null} */
let serverSays; // null: nothing

class FakeRequest {
  upload = {
    onprogress: (/** @type {{loaded: number, total: number}} */ _) => {},
    onload: () => {},
  };
  status = 0;
  responseText = "";
  method = "";
  url = new URL("http://nowhere/");
  onload = () => {};
  onerror = () => {};
  onabort = () => {};

  constructor() {
    request = this;
  }

  /**
   * @param {string} method
   * @param {URL} url
   */
  open(method, url) {
    Object.assign(this, { method, url });
  }

  setRequestHeader() {}

  send() {}

  abort() {
    this.onabort();
  }

  /**
   * @param {number} status
   * @param {object} body
   */
  answer(status, body) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload();
  }
}

beforeEach(() => {
  [asked, serverSays] = [[], { status: 204, error: "" }];
  const fetch = async (/** @type {URL} */ url, /** @type {{method: string}} */ { method }) => {
    asked.push(`${method} ${url}`);
    if (serverSays === null) throw new TypeError("Failed to fetch");
    const { status, error } = serverSays;
    return { ok: status < 400, status, text: async () => JSON.stringify({ error }) };
  };
  const document = { baseURI: "http://server/xr/" };
  Object.assign(globalThis, { XMLHttpRequest: FakeRequest, document, fetch });
});

function upload(name = "my photo.jpg") {
  /** @type {[stage: string, fraction: number, detail: string][]} */
  const steps = [];
  /** @type {string[]} */
  const scenes = [];
  const made = new Upload(standIn({ name }), {
    onProgress: (...step) => steps.push(step),
    onScene: (id) => scenes.push(id),
  });
  return { made, steps, scenes, result: made.send() };
}

test("sends the file under its name and a job of its own, below the page's address", () => {
  const { made } = upload();
  const { method, url } = request;
  assert.equal(method, "POST");
  assert.equal(url.origin + url.pathname, "http://server/xr/scenes");
  assert.equal(url.searchParams.get("filename"), "my photo.jpg");
  assert.equal(url.searchParams.get("job"), made.job);
  assert.match(made.job, /^[0-9a-f]{24}$/);
  assert.notEqual(made.job, new Upload(standIn({}), standIn({})).job);
});

test("progress goes from sending through the server's stages, and never back", async () => {
  const { made, steps, result } = upload();
  request.upload.onprogress({ loaded: 50, total: 100 });
  made.hear({ job: made.job, stage: "decode", fraction: 0, message: "" });
  request.upload.onprogress({ loaded: 100, total: 100 }); // late
  made.hear({ job: "another", stage: "store", fraction: 1, message: "" });
  made.hear({ job: made.job, stage: "predict", fraction: 0.5, message: "tile 12 of 35" });
  made.hear({ job: made.job, stage: "done", fraction: 1, message: "" });
  request.answer(201, scene);
  assert.deepEqual(await result, scene);
  assert.deepEqual(steps, [
    ["sending", 0, ""],
    ["sending", sent(50, 100), ""],
    ["decode", served(0), ""],
    ["predict", served(0.5), "tile 12 of 35"],
  ]);
  assert.equal(served(1), 1);
  for (let size = 1; size < 1000; size += 1) assert.equal(sent(size, size), served(0));
});

test("a refusal is the server's sentence", async () => {
  const { result } = upload();
  request.answer(415, { error: "that is a text, wanted a photo" });
  await assert.rejects(result, { message: "That is a text, wanted a photo." });
});

test("a scene can be shown before it is stored", async () => {
  const { made, steps, scenes, result } = upload();
  made.hear({ job: "another", stage: "store", fraction: 0.9, message: "theirs" });
  made.hear({ job: made.job, stage: "store", fraction: 0.9, message: scene.id });
  assert.deepEqual(scenes, [scene.id]);
  assert.deepEqual(steps.at(-1), ["store", served(0.9), ""]); // an id is no detail for people
  request.answer(201, scene);
  assert.equal((await result).id, scene.id);
});

test("a photo that was predicted before is taken as well", async () => {
  const { result } = upload();
  request.answer(200, scene);
  assert.deepEqual(await result, scene);
});

test("cancelling while the file is sent breaks that off, and is no error to show", async () => {
  const { made, result } = upload();
  made.cancel();
  await assert.rejects(result, (error) => error === null);
  assert.deepEqual(asked, []);
});

test("cancelling a prediction asks the server, once, and waits for no more than its yes", async () => {
  const { made, result } = upload();
  made.hear({ job: made.job, stage: "decode", fraction: 0, message: "" });
  made.cancel();
  made.cancel();
  await assert.rejects(result, (error) => error === null);
  assert.deepEqual(asked, [`DELETE http://server/xr/jobs/${made.job}`]);
  request.answer(409, { error: "cancelled by a viewer" }); // nobody hears it any more
});

test("a scene that was finished before it could be cancelled is shown", async () => {
  const { made, result } = upload();
  request.upload.onload();
  serverSays = { status: 404, error: "there is no such job" };
  await made.cancel();
  request.answer(201, scene);
  assert.equal((await result).id, scene.id);
});

test("a prediction that somebody else cancelled is told", async () => {
  const { result } = upload();
  request.upload.onload();
  request.answer(409, { error: "cancelled by a viewer" });
  await assert.rejects(result, { message: "Cancelled by a viewer." });
});

test("where the server does not answer to a cancel, the upload itself is broken off", async () => {
  const { made, result } = upload();
  request.upload.onload();
  serverSays = null;
  made.cancel();
  await assert.rejects(result, (error) => error === null);
});

test("a lost connection is told, while the file is sent and later", async () => {
  const { result } = upload();
  request.onerror();
  await assert.rejects(result, /while the file was sent/);
  const { result: second } = upload();
  request.upload.onload();
  request.onerror();
  await assert.rejects(second, /before the place was built/);
});
