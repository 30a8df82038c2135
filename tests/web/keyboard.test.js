import assert from "node:assert/strict";
import { test } from "node:test";

import { Keyboard, heldMove } from "../../server/sharp_xr/web/keyboard.js";
import { certain, standIn } from "./standin.js";

/** @typedef {import("../../server/sharp_xr/web/head.js").Move} Move */

const still = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, roll: 0 };

/**
 * @param {Move} move
 * @returns {Move}
 */
function nonZero(move) {
  return Object.fromEntries(Object.entries(move).filter(([, value]) => value !== 0));
}

test("arrows and letters lean, W comes closer, Q tilts to the left", () => {
  const held = (/** @type {string[]} */ ...codes) => nonZero(heldMove(new Set(codes), false, 1, 1));
  assert.ok(certain(held("ArrowRight").x) > 0 && certain(held("KeyD").x) > 0);
  assert.ok(certain(held("ArrowUp").y) > 0);
  assert.ok(certain(held("KeyW").z) < 0);
  assert.ok(certain(held("KeyQ").roll) > 0);
  assert.deepEqual(held("ArrowLeft", "ArrowRight"), {});
});

test("with Shift the arrows turn the head, and W still comes closer", () => {
  const held = (/** @type {string[]} */ ...codes) => nonZero(heldMove(new Set(codes), true, 1, 1));
  assert.deepEqual(Object.keys(held("ArrowRight")), ["yaw"]);
  assert.ok(certain(held("ArrowRight").yaw) < 0);
  assert.deepEqual(Object.keys(held("KeyW")), ["z"]);
});

function typed() {
  const target = new EventTarget();
  /** @type {Move[]} */
  const moves = [];
  /** @type {string[]} */
  const actions = [];
  const head = { reach: 1, move: (/** @type {Move} */ change) => void moves.push(change) };
  const keyboard = new Keyboard(standIn(target), head, { r: () => void actions.push("r") });
  /**
   * @param {"keydown" | "keyup"} type
   * @param {Partial<Omit<KeyboardEvent, "target">> & {target?: unknown}} event
   */
  const press = (type, { target: origin = target, ...fields }) => {
    const event = Object.assign(new Event(type, { cancelable: true }), fields);
    Object.defineProperty(event, "target", { value: origin });
    target.dispatchEvent(event);
  };
  return { keyboard, press, moves, actions };
}

test("a key that is let go before the next turn has moved the head, once", () => {
  const { keyboard, press, moves } = typed();
  press("keydown", { code: "ArrowRight", key: "ArrowRight" });
  press("keyup", { code: "ArrowRight", key: "ArrowRight" });
  keyboard.advance(0.1);
  keyboard.advance(0.1);
  assert.equal(moves.length, 1);
  assert.ok(certain(moves[0].x) > 0);
});

test("a held key moves the head until it is let go", () => {
  const { keyboard, press, moves } = typed();
  keyboard.advance(0.1);
  press("keydown", { code: "ArrowRight", key: "ArrowRight" });
  keyboard.advance(0.1);
  press("keyup", { code: "ArrowRight", key: "ArrowRight" });
  keyboard.advance(0.1);
  assert.equal(moves.length, 1);
  assert.deepEqual({ ...moves[0], x: 0 }, still);
  assert.ok(certain(moves[0].x) > 0);
});

test("keys do nothing while somebody types, nor together with Ctrl", () => {
  const { keyboard, press, moves, actions } = typed();
  const field = { closest: (/** @type {string} */ selector) => (selector.includes("range") ? null : field) };
  press("keydown", { code: "KeyR", key: "r", target: field });
  press("keydown", { code: "KeyW", key: "w", target: field });
  press("keydown", { code: "KeyR", key: "r", ctrlKey: true });
  keyboard.advance(0.1);
  assert.deepEqual([moves, actions], [[], []]);
  press("keydown", { code: "KeyR", key: "R", shiftKey: true });
  assert.deepEqual(actions, ["r"]);
});

test("a slider has the arrows to itself, and leaves the letters to the head", () => {
  const { keyboard, press, moves, actions } = typed();
  const slider = { closest: () => slider };
  press("keydown", { code: "ArrowRight", key: "ArrowRight", target: slider });
  keyboard.advance(0.1);
  assert.equal(moves.length, 0);
  press("keydown", { code: "KeyD", key: "d", target: slider });
  press("keydown", { code: "KeyR", key: "r", target: slider });
  keyboard.advance(0.1);
  assert.ok(certain(moves[0].x) > 0);
  assert.deepEqual(actions, ["r"]);
});
