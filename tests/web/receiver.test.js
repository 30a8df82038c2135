import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Receiver } from "../../server/sharp_xr/web/receiver.js";

/** What a browser's RTCPeerConnection does, as far as it matters here. */
class FakePeer {
  /** @type {FakePeer[]} */
  static all = [];
  connectionState = "new";
  localDescription = { sdp: "an offer" };
  isClosed = false;
  /** @type {() => void} */
  onconnectionstatechange = () => {};

  constructor() {
    FakePeer.all.push(this);
  }

  addTransceiver() {
    return { receiver: {} };
  }

  async createOffer() {}
  async setLocalDescription() {}

  close() {
    this.isClosed = true;
  }

  /** @param {string} state */
  enter(state) {
    this.connectionState = state;
    this.onconnectionstatechange();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
/** @type {string[]} */
let offers;
/** @type {string[]} */
let troubles;
/** @type {Receiver} */
let receiver;

beforeEach(async () => {
  Object.assign(globalThis, { RTCPeerConnection: FakePeer });
  mock.timers.enable({ apis: ["setTimeout"] });
  [FakePeer.all, offers, troubles] = [[], [], []];
  receiver = new Receiver({
    send: ({ type }) => offers.push(type),
    onTrack: () => {},
    onTrouble: (sentence) => troubles.push(sentence),
  });
  await receiver.start();
});
afterEach(() => {
  mock.timers.reset();
  Reflect.deleteProperty(globalThis, "RTCPeerConnection");
});
const last = () => FakePeer.all[FakePeer.all.length - 1];

test("a path that failed is offered anew", async () => {
  last().enter("failed");
  await settled();
  assert.deepEqual(offers, ["offer", "offer"]);
  assert.deepEqual(FakePeer.all.map(({ isClosed }) => isClosed), [true, false]);
});

test("a path that is interrupted has two seconds to come back by itself", async () => {
  last().enter("disconnected");
  mock.timers.tick(1900);
  last().enter("connected");
  mock.timers.tick(5000);
  assert.equal(FakePeer.all.length, 1);
  last().enter("disconnected");
  mock.timers.tick(2000);
  await settled();
  assert.equal(FakePeer.all.length, 2);
});

test("a given up connection has no say any more", async () => {
  const [first] = FakePeer.all;
  await receiver.start();
  first.enter("failed");
  assert.equal(FakePeer.all.length, 2);
});

test("who never gets a path hears what to do; one failure is no reason to speak", async () => {
  last().enter("failed");
  await settled();
  assert.deepEqual(troubles, []);
  last().enter("failed");
  await settled();
  assert.equal(troubles.length, 1);
  assert.match(troubles[0], /does not get through.*UDP.*firewall/);
  last().enter("connected");
  last().enter("failed");
  await settled();
  assert.equal(troubles.length, 1); // that path had worked
});

test("a browser without WebRTC says what to turn on", async () => {
  Reflect.deleteProperty(globalThis, "RTCPeerConnection");
  await receiver.start();
  assert.match(troubles[0], /no WebRTC.*settings/);
});
