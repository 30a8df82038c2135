import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Connection } from "../../server/sharp_xr/web/connection.js";
import { decode, encode } from "../../server/sharp_xr/web/vendor/msgpack.js";
import { told } from "./golden.js";
import { certain } from "./standin.js";

class FakeSocket {
  static OPEN = 1;
  /** @type {FakeSocket[]} */
  static all = [];
  readyState = 0;
  bufferedAmount = 0;
  /** @type {Record<string, unknown>[]} */
  sent = [];
  onopen = () => {};
  onclose = () => {};
  onmessage = (/** @type {{data: ArrayBuffer}} */ _) => {};

  /** @param {string} url */
  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    this.sent.push(/** @type {Record<string, unknown>} */ (decode(bytes, { useBigInt64: true })));
  }

  /** @param {object} message */
  hear(message) {
    this.onmessage({ data: encode(message, { useBigInt64: true }).slice().buffer });
  }

  close() {
    this.readyState = 3;
    this.onclose();
  }
}

const welcome = told("welcome");
const display = { eye_width: 512, eye_height: 512, refresh_hz: 60 };
/** @type {[state: string, sentence: string][]} */
let states;
/** @type {string[]} */
let messages;
/** @type {Connection} */
let connection;
/** @type {string} */
let refusal;

const newest = () => certain(FakeSocket.all.at(-1));
const lastState = () => certain(states.at(-1));

beforeEach(() => {
  Object.assign(globalThis, { WebSocket: FakeSocket, addEventListener: () => {} });
  FakeSocket.all = [];
  [states, messages, refusal] = [[], [], ""];
  connection = new Connection({
    url: "ws://server/session",
    hello: () => ({ agent: "test", kind: "browser", display }),
    onState: (state, sentence) => states.push([state, sentence]),
    onMessage: (message) => messages.push(message.type),
    whyKeptOut: async () => refusal,
  });
  connection.start();
});

test("a session that begins anew says Hello on another socket, and is not taken for a lost one", () => {
  newest().open();
  newest().hear(welcome);
  const before = newest();
  connection.renew();
  assert.equal(before.sent.at(-1)?.type, "bye");
  assert.equal(before.readyState, 3);
  assert.deepEqual(lastState(), ["connecting", ""]);
  newest().open();
  assert.equal(newest().sent[0].type, "hello");
  newest().hear(welcome);
  assert.deepEqual(lastState(), ["live", ""]);
  assert.equal(FakeSocket.all.length, 2);
});

test("says Hello first and is live when it is welcomed", () => {
  newest().open();
  assert.equal(newest().sent[0].type, "hello");
  assert.equal(newest().sent[0].version, 2);
  assert.equal(connection.state, "connecting");
  newest().hear(welcome);
  assert.equal(connection.state, "live");
  assert.deepEqual(messages, ["welcome"]);
});

test("answers a ping with the same number of nanoseconds", () => {
  newest().open();
  newest().hear({ type: "ping", sent_ns: 9007199254740993n });
  const pong = newest().sent[1];
  assert.equal(pong.type, "pong");
  assert.equal(pong.sent_ns, 9007199254740993n);
});

test("comes back by itself, and shows the reason that the server gave", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  newest().open();
  newest().hear(welcome);
  newest().hear({ type: "bye", reason: "The server ends." });
  newest().close();
  assert.deepEqual(lastState(), ["away", "The server ends."]);
  mock.timers.tick(600);
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(connection.state, "away"); // until it is welcomed: no flicker between the tries
  newest().close(); // nobody is there
  assert.match(lastState()[1], /server is away/);
  mock.timers.tick(499);
  assert.equal(FakeSocket.all.length, 2); // the second wait is longer
  mock.timers.tick(600);
  assert.equal(FakeSocket.all.length, 3);
  newest().open();
  newest().hear(welcome);
  assert.equal(connection.state, "live");
  mock.timers.reset();
});

test("a server of another version is told, and not asked again", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  newest().open();
  newest().hear({ ...welcome, version: 99 });
  assert.deepEqual(lastState()[0], "outdated");
  assert.match(lastState()[1], /reload the page/);
  assert.equal(newest().sent.at(-1)?.type, "bye");
  mock.timers.tick(60_000);
  assert.equal(FakeSocket.all.length, 1);
  mock.timers.reset();
});

test("what is not of the protocol ends the session with a sentence", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  newest().open();
  newest().hear({ type: "problem" });
  assert.equal(newest().sent.at(-1)?.type, "bye");
  assert.match(lastState()[1], /cannot read: problem\.message is undefined/);
  mock.timers.reset();
});

test("is full while poses wait in the socket, and silent while it is away", () => {
  newest().open();
  assert.equal(connection.isFull, false);
  newest().bufferedAmount = 10_000;
  assert.equal(connection.isFull, true);
  newest().readyState = 3;
  connection.send({ type: "scene_select", scene: "x" });
  assert.equal(newest().sent.length, 1);
});

test("a server that started again with another token says so, until it lets the page in", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  newest().open();
  newest().hear(welcome);
  refusal = "That is not this server's token.";
  newest().close();
  assert.match(lastState()[1], /server is away/); // it was open: no reason to ask
  mock.timers.tick(600);
  newest().close();
  await Promise.resolve().then(() => {});
  assert.deepEqual(lastState(), ["away", refusal]);
  mock.timers.tick(1100);
  newest().open();
  newest().hear(welcome);
  newest().close();
  assert.match(lastState()[1], /server is away/);
  mock.timers.reset();
});
