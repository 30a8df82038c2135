import assert from "node:assert/strict";
import { test } from "node:test";

import { Head } from "../../server/sharp_xr/web/head.js";
import { PoseHistory } from "../../server/sharp_xr/web/history.js";
import { Tracker } from "../../server/sharp_xr/web/tracker.js";
import { encodeMessage } from "../../server/sharp_xr/web/wire.js";
import { told } from "./golden.js";
import { certain, standIn } from "./standin.js";

/** @typedef {import("../../server/sharp_xr/web/connection.js").Connection} Connection */
/** @typedef {Extract<import("../../server/sharp_xr/web/wire.js").FromClient, {type: "tracking"}>} Tracking */

const { scene } = told("scene_ready");

function uplink() {
  const head = new Head();
  /** @type {PoseHistory<import("../../server/sharp_xr/web/frame.js").Sent>} */
  const history = new PoseHistory();
  /** @type {Tracking[]} */
  const sent = [];
  /** @type {{state: Connection["state"], isFull: boolean, send: Connection["send"]}} */
  const connection = { state: "live", isFull: false, send: (message) => sent.push(standIn(message)) };
  const tracker = new Tracker({ head, history, connection });
  tracker.enter(scene);
  return { tracker, head, history, connection, sent };
}

test("sends a pose that the server takes, and remembers it under its key", () => {
  const { tracker, head, history, sent } = uplink();
  head.enter(scene.focus_m, false);
  head.place({ x: 0.1 });
  tracker.advance(1000);
  const [message] = sent;
  assert.ok(encodeMessage(message).length > 100);
  assert.equal(message.key, 90_000);
  assert.equal(message.time_ns, 1_000_000_000n);
  assert.deepEqual(message.head.position, [0.1, 0, 0]);
  const remembered = certain(history.find(90_000));
  assert.deepEqual(remembered.head, message.head);
  assert.equal(remembered.at, 1000);
  assert.deepEqual(remembered.eyes, message.eyes);
});

test("each pose acknowledges the newest frame, also while the head is still", () => {
  const { tracker, sent } = uplink();
  tracker.advance(1000);
  tracker.acknowledge(90_000);
  tracker.advance(1016);
  assert.deepEqual(sent.map(({ ack }) => ack), [null, 90_000]);
});

test("sends nothing without a scene or a connection, nor behind poses that wait", () => {
  const { tracker, connection, sent } = uplink();
  connection.isFull = true;
  tracker.advance(1);
  connection.isFull = false;
  connection.state = "away";
  tracker.advance(2);
  connection.state = "live";
  tracker.enter(null);
  tracker.advance(3);
  assert.deepEqual(sent, []);
});
