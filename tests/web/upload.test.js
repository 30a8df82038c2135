import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Upload, sent, served } from "../../server/sharp_xr/web/upload.js";
import { fromServer } from "./golden.js";

const { scene } = fromServer.find(({ name }) => name === "scene ready").message;
let request;

class FakeRequest {
  upload = {};
  headers = {};

  constructor() {
    request = this;
  }

  open(method, url) {
    this.opened = [method, url];
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  send(body) {
    this.body = body;
  }

  abort() {
    this.onabort();
  }

  answer(status, body) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload();
  }
}

beforeEach(() => {
  globalThis.XMLHttpRequest = FakeRequest;
  globalThis.document = { baseURI: "http://server/xr/" };
});

function upload(name = "my photo.jpg") {
  const steps = [];
  const made = new Upload({ name }, (stage, fraction) => steps.push([stage, fraction]));
  return { made, steps, result: made.send() };
}

test("sends the file under its name and a job of its own, below the page's address", () => {
  const { made } = upload();
  const [method, url] = request.opened;
  assert.equal(method, "POST");
  assert.equal(url.origin + url.pathname, "http://server/xr/scenes");
  assert.equal(url.searchParams.get("filename"), "my photo.jpg");
  assert.equal(url.searchParams.get("job"), made.job);
  assert.match(made.job, /^[0-9a-f]{24}$/);
  assert.notEqual(made.job, new Upload({}, () => {}).job);
});

test("progress goes from sending through the server's stages, and never back", async () => {
  const { made, steps, result } = upload();
  request.upload.onprogress({ loaded: 50, total: 100 });
  made.hear({ job: "another", stage: "store", fraction: 1 });
  made.hear({ job: made.job, stage: "predict", fraction: 0.5 });
  request.upload.onprogress({ loaded: 100, total: 100 }); // late
  made.hear({ job: made.job, stage: "done", fraction: 1 });
  request.answer(201, scene);
  assert.deepEqual(await result, scene);
  assert.deepEqual(steps, [
    ["sending", 0],
    ["sending", sent(50, 100)],
    ["predict", served(0.5)],
  ]);
  assert.ok(sent(1, 1) === served(0) && served(1) === 1);
});

test("a refusal is the server's sentence", async () => {
  const { result } = upload();
  request.answer(415, { error: "that is a text, wanted a photo" });
  await assert.rejects(result, { message: "That is a text, wanted a photo." });
});

test("a cancelled upload is no error to show", async () => {
  const { made, result } = upload();
  made.cancel();
  await assert.rejects(result, (error) => error === null);
});

test("a lost connection is told", async () => {
  const { result } = upload();
  request.onerror();
  await assert.rejects(result, /connection broke/);
});
