import assert from "node:assert/strict";
import { test } from "node:test";

import { barsOf, topFor } from "../../server/sharp_xr/web/graph.js";
import { STAGES, Stages, split } from "../../server/sharp_xr/web/stages.js";

/** @param {Partial<import("../../server/sharp_xr/web/stages.js").Times>} some */
const timesOf = (some = {}) => ({
  pose_wait_ms: 1,
  render_ms: 10,
  encode_ms: 99,
  encode_wait_ms: 2,
  encoded: null,
  ...some,
});
const shown = { key: 7, sentAt: 1000, at: 1030, shownAt: 1034, times: timesOf() };

/** @param {import("../../server/sharp_xr/web/stages.js").Split} parts */
const sumOf = (parts) => STAGES.reduce((sum, stage) => sum + parts[stage], 0);

test("a frame's age is cut into what each stage took of it", () => {
  assert.deepEqual(split(shown, 4, 3, 2), {
    pose: 4, // 3 up, 1 waiting
    render: 10,
    encode: 6, // 2 waiting, 4 encoding
    network: 8, // the rest of 30
    decode: 2,
    display: 4,
  });
});

test("the stages always add up to the age, whatever the estimates say", () => {
  for (const [encodeMs, upMs, decodeMs] of [
    [0, 0, 0],
    [4, 500, 2],
    [4, 3, 500],
    [500, 3, 2],
  ]) {
    const parts = split(shown, encodeMs, upMs, decodeMs);
    assert.ok(Math.abs(sumOf(parts) - 34) < 1e-9);
    assert.ok(Object.values(parts).every((ms) => ms >= 0));
  }
});

test("a frame gets its own encoding time, from whichever header tells it", () => {
  const stages = new Stages();
  stages.hear(timesOf({ encoded: 7, encode_ms: 4 })); // came before the frame
  stages.add(shown);
  stages.add({ ...shown, key: 8, at: 1060, shownAt: 1064 });
  const encodings = () => stages.recent(1100).map(({ split: parts }) => parts.encode);
  assert.deepEqual(encodings(), [6, 6]); // the newest one that is known
  stages.hear(timesOf({ encoded: 8, encode_ms: 20 }));
  assert.deepEqual(encodings(), [6, 22]);
});

test("the estimates of the moment when a frame was shown stay with it", () => {
  const stages = new Stages();
  stages.upMs = 3;
  stages.add(shown);
  stages.upMs = 9;
  assert.equal(stages.recent(1100)[0].split.pose, 4);
});

test("frames are forgotten after four seconds", () => {
  const stages = new Stages();
  stages.add(shown);
  stages.add({ ...shown, shownAt: 5035 });
  assert.equal(stages.recent(5035).length, 1);
  assert.equal(stages.recent(9036).length, 0);
});

/**
 * A frame of that age.
 * @param {number} shownAt
 * @param {number} age
 */
const frame = (shownAt, age) => ({
  shownAt,
  split: { pose: age / 4, render: age / 4, encode: 0, network: age / 2, decode: 0, display: 0 },
});
const size = { width: 400, height: 100 };

test("columns stand where their frame was shown, and are as high as its pose was old", () => {
  const bars = barsOf([frame(2000, 50), frame(2020, 100)], 4000, 100, size);
  const [first, second] = [bars.slice(0, STAGES.length), bars.slice(STAGES.length)];
  assert.equal(first[0].x, 200); // two of four seconds ago
  assert.equal(Math.round(first[0].width * 1e6), 2e6); // 20 ms until the next
  assert.equal(Math.round(second[0].width * 1e6), 5e6); // no wider than 50 ms: the rest is a gap
  assert.deepEqual(
    first.map(({ y, height }) => [y, height]),
    [[87.5, 12.5], [75, 12.5], [75, 0], [50, 25], [50, 0], [50, 0]],
  );
  assert.equal(Math.min(...second.map(({ y }) => y)), 0);
});

test("the scale is a round number that nearly all frames stay below", () => {
  assert.equal(topFor([]), 20);
  assert.equal(topFor([frame(0, 21)]), 50);
  const usual = Array.from({ length: 99 }, (_, i) => frame(i, 40));
  assert.equal(topFor([...usual, frame(99, 900)]), 50);
  assert.equal(topFor([frame(0, 1e6)]), 5000);
});
