import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Arrivals } from "../../server/sharp_xr/web/arrivals.js";
import { told } from "./golden.js";
import { certain, settled, standIn } from "./standin.js";

const { scene } = told("scene_ready");
/** @type {FakeRequest[]} */
let requests;

class FakeRequest {
  upload = {};
  status = 0;
  responseText = "";
  url = "";
  onload = () => {};
  onabort = () => {};

  constructor() {
    requests.push(this);
  }

  /**
   * @param {string} _
   * @param {string} url
   */
  open(_, url) {
    this.url = url;
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
  async answer(status, body) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload();
    await settled(); // let the queue go on
  }

  get job() {
    return certain(new URL(this.url).searchParams.get("job"));
  }
}

beforeEach(() => {
  requests = [];
  Object.assign(globalThis, { document: { baseURI: "http://server/" }, XMLHttpRequest: FakeRequest });
});

/** @param {string[]} names */
const files = (...names) => names.map((name) => /** @type {File} */ (standIn({ name })));

function doorway() {
  /** @type {string[]} */
  const said = [];
  let cancel = () => {};
  /** @type {ConstructorParameters<typeof Arrivals>[0]["card"]} */
  const card = {
    begin: (_, title, onCancel) => {
      said.push(`begin ${title}`);
      cancel = onCancel;
    },
    step: () => {},
    hide: () => said.push("hide"),
    fail: (title, sentence) => said.push(`fail ${title}: ${sentence}`),
    cancelled: () => said.push("cancelled"),
  };
  const arrivals = new Arrivals({ card, onScene: (id) => said.push(`scene ${id}`) });
  return { arrivals, said, cancel: () => cancel() };
}

test("several files go one after another, and are counted", async () => {
  const { arrivals, said } = doorway();
  arrivals.add(files("a.jpg", "b.jpg"));
  assert.equal(requests.length, 1);
  await requests[0].answer(201, scene);
  await requests[1].answer(201, scene);
  arrivals.add(files("c.jpg"));
  assert.deepEqual(said, [
    "begin a.jpg (1 of 2)",
    `scene ${scene.id}`,
    "begin b.jpg (2 of 2)",
    `scene ${scene.id}`,
    "hide",
    "hide",
    "begin c.jpg",
  ]);
});

test("what was refused is told when all are through", async () => {
  const { arrivals, said } = doorway();
  arrivals.add(files("a.jpg", "b.jpg", "c.jpg"));
  await requests[0].answer(400, { error: "this file is text" });
  await requests[1].answer(400, { error: "this file is empty" });
  await requests[2].answer(201, scene);
  assert.deepEqual(said.slice(3), [
    `scene ${scene.id}`,
    "hide",
    "fail 2 files were not taken: a.jpg: This file is text.\nb.jpg: This file is empty.",
  ]);
});

test("a refused file shows the server's sentence", async () => {
  const { arrivals, said } = doorway();
  arrivals.add(files("a.jpg"));
  await requests[0].answer(400, { error: "this file is text" });
  assert.deepEqual(said, ["begin a.jpg", "fail a.jpg: This file is text."]);
});

test("an answer that is no scene is told, not swallowed", async () => {
  const { arrivals, said } = doorway();
  arrivals.add(files("a.jpg"));
  await requests[0].answer(201, {});
  assert.match(said[1], /fail a\.jpg: scene\.id is undefined/);
});

test("a cancelled file makes room for the next one", async () => {
  const { arrivals, said, cancel } = doorway();
  arrivals.add(files("a.jpg", "b.jpg"));
  cancel();
  await settled();
  assert.deepEqual(said, ["begin a.jpg (1 of 2)", "begin b.jpg (2 of 2)"]);
  cancel();
  await settled();
  assert.equal(said.at(-1), "cancelled");
});

test("a scene is shown once: when it is built, though it is stored and answered later", async () => {
  const { arrivals, said } = doorway();
  arrivals.add(files("a.jpg"));
  const [{ job }] = requests;
  arrivals.hear({ job, stage: "store", fraction: 0.9, message: scene.id });
  assert.deepEqual(said, ["begin a.jpg", `scene ${scene.id}`, "hide"]);
  await requests[0].answer(201, scene);
  assert.deepEqual(said.slice(3), ["hide"]);
});

test("a scene that could not be kept is told, though it was shown", async () => {
  const { arrivals, said } = doorway();
  arrivals.add(files("a.jpg"));
  const [{ job }] = requests;
  arrivals.hear({ job, stage: "store", fraction: 0.9, message: scene.id });
  await requests[0].answer(507, { error: "the disk is full" });
  assert.equal(said.at(-1), "fail a.jpg: The disk is full.");
});
