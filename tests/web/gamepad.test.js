import assert from "node:assert/strict";
import { test } from "node:test";

import { Gamepads, padMove } from "../../server/sharp_xr/web/gamepad.js";
import { Head } from "../../server/sharp_xr/web/head.js";

/** @param {{axes?: number[], held?: number[], mapping?: string, connected?: boolean, index?: number}} state */
function pad({ axes = [0, 0, 0, 0], held = [], mapping = "standard", connected = true, index = 0 }) {
  const buttons = Array.from({ length: 17 }, (_, i) => ({ value: Number(held.includes(i)), pressed: held.includes(i) }));
  return /** @type {any} */ ({ axes, buttons, mapping, connected, index });
}

/** @param {any[]} pads what is read, which a test may change */
function hands(pads) {
  const head = new Head();
  head.enter(2, false);
  /** @type {number[]} */
  const steps = [];
  return { head, steps, gamepads: new Gamepads({ head, onStep: (way) => steps.push(way), read: () => pads }) };
}

function settle(/** @type {Head} */ head) {
  for (let i = 0; i < 120; i += 1) head.advance(1 / 60);
  return head.pose.head.position;
}

test("sticks lean, come closer and turn where they point", () => {
  const leant = padMove(pad({ axes: [1, 0, 0, 0] }), 0.5, 0.4);
  assert.ok(Math.abs(leant.x - 0.9 * 0.4 * 0.5) < 1e-12);
  assert.ok(padMove(pad({ axes: [0, -1, 0, 0] }), 1, 1).z < 0); // away from oneself: closer
  assert.ok(padMove(pad({ axes: [0, 0, 1, 0] }), 1, 1).yaw < 0); // to the right
  assert.ok(padMove(pad({ axes: [0, 0, 0, -1] }), 1, 1).pitch > 0);
  assert.ok(padMove(pad({ held: [7] }), 1, 1).y > 0);
  assert.ok(padMove(pad({ held: [6] }), 1, 1).y < 0);
  assert.ok(padMove(pad({ held: [4] }), 1, 1).roll > 0); // to the left shoulder
});

test("a worn stick at rest moves nothing, one beyond it begins slowly, and a corner is no faster than an end", () => {
  assert.equal(Math.hypot(...Object.values(padMove(pad({ axes: [0.1, -0.08, 0.05, 0.1] }), 1, 1))), 0);
  const begun = padMove(pad({ axes: [0.16, 0, 0, 0] }), 1, 1).x;
  assert.ok(begun > 0 && begun < 0.02);
  const { x, z } = padMove(pad({ axes: [1, 1, 0, 0] }), 1, 1);
  assert.ok(Math.abs(Math.hypot(x, z) - 0.9) < 1e-9);
});

test("a held stick moves the head, and a pad at rest leaves its sway on", () => {
  const pads = [null, pad({})];
  const { head, gamepads } = hands(pads);
  gamepads.advance(0.1);
  assert.equal(head.isTouched, false);
  pads[1] = pad({ axes: [1, 0, 0, 0] });
  gamepads.advance(0.1);
  assert.ok(settle(head)[0] > 0.01);
  assert.equal(head.isTouched, true);
});

test("a button acts once for each press", () => {
  const pads = [pad({})];
  const { head, steps, gamepads } = hands(pads);
  for (const held of [[], [15], [15], [], [14], [], [14, 15]]) {
    pads[0] = pad({ held });
    gamepads.advance(0.02);
  }
  assert.deepEqual(steps, [1, -1, -1, 1]);
  head.move({ x: 0.2 });
  for (const button of [0, 10, 11]) {
    head.move({ x: 0.2 });
    pads[0] = pad({ held: [button] });
    gamepads.advance(0.02);
    assert.equal(settle(head)[0], 0);
  }
});

test("a button that is down when the pad appears was not pressed here", () => {
  const { steps, gamepads } = hands([pad({ held: [15] })]);
  gamepads.advance(0.02);
  assert.deepEqual(steps, []);
});

test("pads of another mapping, of a headset or gone are not heard", () => {
  const axes = [1, 1, 1, 1];
  const { head, gamepads } = hands([
    pad({ axes, mapping: "" }),
    pad({ axes, mapping: "xr-standard" }),
    pad({ axes, connected: false }),
  ]);
  gamepads.advance(0.1);
  assert.equal(head.isTouched, false);
});

test("a pad with fewer buttons and axes than the standard has is no error", () => {
  const { x, roll } = padMove({ axes: [1], buttons: [] }, 1, 1);
  assert.ok(x > 0);
  assert.equal(roll, 0);
});
