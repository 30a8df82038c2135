import assert from "node:assert/strict";
import { test } from "node:test";

import { Flash, changeOf, changedAt, sentenceOf } from "../../server/sharp_xr/web/flash.js";
import { Head } from "../../server/sharp_xr/web/head.js";
import { certain } from "./standin.js";

const TURN_MS = 1000 / 60;

/** @typedef {{at: number, head: {orientation: number[]}, sharpness: number}} Picture */

/**
 * A page whose server takes `delayMs` from a pose to the first turn of the display that has its frame, and then
 * sends `sharpening` more of it, one each turn.
 */
class Page {
  now = 0;
  /** @type {string[]} */
  said = [];
  head = new Head();
  /** @type {import("../../server/sharp_xr/web/flash.js").Watched} */
  stage = { isHeld: false, headShown: null, look: () => this.look() };
  /** @type {Picture | undefined} */
  frame;
  /** @type {Picture[]} */
  #arriving = [];
  #asked = "";

  /** @param {{delayMs: number, sharpening?: number, contrast?: number, noise?: number}} settings */
  constructor({ delayMs, sharpening = 4, contrast = 100, noise = 1 }) {
    this.delayMs = delayMs;
    this.sharpening = sharpening;
    this.contrast = contrast;
    this.noise = noise;
    this.flash = new Flash({
      head: this.head,
      stage: this.stage,
      clock: () => this.now,
      tell: (sentence) => this.said.push(sentence),
    });
  }

  // What main.js does at a turn of the display.
  turn() {
    this.now += TURN_MS;
    this.head.advance(TURN_MS / 1000);
    this.flash.move();
    const { head } = this.head.pose;
    if (JSON.stringify(head) !== this.#asked) {
      this.#asked = JSON.stringify(head);
      for (let i = 0; i <= this.sharpening; i += 1) {
        this.#arriving.push({ at: this.now + this.delayMs + i * TURN_MS, head, sharpness: i });
      }
    }
    if (this.flash.isRunning) this.flash.look();
  }

  look() {
    while (this.#arriving.length && this.#arriving[0].at <= this.now) this.frame = this.#arriving.shift();
    if (!this.frame) return null;
    this.stage.headShown = this.frame.head;
    const { head } = this.stage.isHeld ? this.frame : this.head.pose;
    const level = head.orientation[1] * this.contrast * 10 + this.frame.sharpness * this.noise;
    return new Uint8Array(64).fill(100 + Math.round(level));
  }

  run(turns = 5000) {
    this.turn();
    while (!this.frame && turns--) {
      this.turn();
      this.look();
    }
    this.flash.toggle();
    while (this.flash.isRunning && turns--) this.turn();
    return this.flash.result;
  }
}

for (const delayMs of [0, 40, 250, 1000]) {
  test(`finds a delay of ${delayMs} ms to within one frame`, () => {
    const { frames, warp } = certain(new Page({ delayMs }).run());
    assert.equal(frames.length, 5);
    assert.equal(warp.length, 5);
    for (const ms of frames) assert.ok(ms >= delayMs && ms < delayMs + TURN_MS, `${ms}`);
    assert.deepEqual(warp, [0, 0, 0, 0, 0]); // in the same turn
  });
}

test("does not take the sharpening of a picture for the step", () => {
  const { frames } = certain(new Page({ delayMs: 100, sharpening: 30, noise: 0.5 }).run());
  assert.ok(frames.every((ms) => ms >= 100 && ms < 100 + TURN_MS));
});

test("measures again from the beginning, and stops when asked to", () => {
  const page = new Page({ delayMs: 90 });
  const first = page.run();
  page.flash.toggle();
  assert.equal(page.flash.result, null);
  page.turn();
  page.flash.toggle();
  assert.equal(certain(page.said.at(-1)), "Stopped.");
  assert.equal(page.flash.isRunning, false);
  assert.equal(page.stage.isHeld, false);
  const rounded = (/** @type {typeof first} */ result) => certain(result).frames.map(Math.round);
  assert.deepEqual(rounded(page.run()), rounded(first));
});

test("puts the head back into the middle, and shows the frames warped again", () => {
  const page = new Page({ delayMs: 40 });
  page.run();
  for (let i = 0; i < 500; i += 1) page.turn();
  assert.ok(Math.abs(page.head.pose.head.orientation[1]) < 1e-3);
  assert.equal(page.stage.isHeld, false);
});

test("says why it cannot measure", () => {
  const said = (/** @type {Page} */ page, /** @type {() => unknown} */ run = () => page.run()) => {
    run();
    assert.equal(page.flash.result, null);
    assert.equal(page.flash.isRunning, false);
    return certain(page.said.at(-1));
  };
  assert.match(said(new Page({ delayMs: 40, contrast: 0, noise: 0.1 })), /changes too little here/);
  const restless = new Page({ delayMs: 40, sharpening: 1000 });
  assert.match(said(restless), /does not come to rest/);
  const empty = new Page({ delayMs: 1e9 });
  empty.flash.toggle();
  assert.match(said(empty, () => empty.turn()), /no picture/);
  const dead = new Page({ delayMs: 40 });
  dead.run();
  dead.delayMs = 1e9;
  assert.match(said(dead), /server does not answer/);
  const moved = new Page({ delayMs: 40 });
  moved.run();
  moved.flash.toggle();
  assert.match(said(moved, () => {
    moved.head.move({ x: 0.1 });
    for (let i = 0; i < 9; i += 1) moved.turn();
  }), /the head was moved/);
});

test("says what came of it, medians and range", () => {
  assert.equal(
    sentenceOf({ frames: [52, 48.4, 61, 50, 55], warp: [17, 16, 18, 17, 33] }),
    "A step of the head changed the picture after 17 ms by the warp, after 52 ms (48 to 61) by a new frame. " +
      "The screen's own delay comes on top.",
  );
});

test("a change is the mean over the picture", () => {
  assert.equal(changeOf(Uint8Array.of(0, 10, 20, 30), Uint8Array.of(4, 10, 20, 26)), 2);
});

test("the picture has changed when half of the change is there", () => {
  const looks = [0, 4, 12, 18, 20].map((level, i) => ({ at: i, seen: Uint8Array.of(level) }));
  assert.equal(changedAt(looks), 2);
  assert.equal(changedAt([looks[0], { at: 9, seen: Uint8Array.of(2) }]), null);
});
