import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Newest } from "../../server/sharp_xr/web/newest.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

// A sender whose answers come when the test says so.
function sender() {
  /** @type {number[]} */
  const sent = [];
  /** @type {{resolve: () => void, reject: (error: Error) => void}[]} */
  const answers = [];
  const newest = new Newest((/** @type {number} */ value) => {
    sent.push(value);
    return /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => answers.push({ resolve, reject }))
    );
  }, 100);
  const settle = () => new Promise(setImmediate);
  return { newest, sent, answers, settle };
}

test("the first value goes at once, of those that wait only the newest", async () => {
  const { newest, sent, answers, settle } = sender();
  for (const value of [1, 2, 3]) newest.put(value);
  assert.deepEqual(sent, [1]);
  answers[0].resolve();
  mock.timers.tick(99);
  await settle();
  assert.deepEqual(sent, [1]); // not so often
  mock.timers.tick(1);
  await settle();
  assert.deepEqual(sent, [1, 3]);
});

test("a slow answer holds the next one back, however many values come", async () => {
  const { newest, sent, answers, settle } = sender();
  newest.put(1);
  mock.timers.tick(5000);
  for (const value of [2, 3, 4]) newest.put(value);
  await settle();
  assert.deepEqual(sent, [1]);
  answers[0].resolve();
  await settle();
  assert.deepEqual(sent, [1, 4]);
});

test("it is busy until the last value is through, and takes the next one then", async () => {
  const { newest, sent, answers, settle } = sender();
  newest.put(1);
  assert.ok(newest.isBusy);
  answers[0].resolve();
  mock.timers.tick(100);
  await settle();
  assert.ok(!newest.isBusy);
  newest.put(2);
  assert.deepEqual(sent, [1, 2]);
});
