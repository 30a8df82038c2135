import assert from "node:assert/strict";
import { test } from "node:test";

import { CarriedKeys } from "../../server/sharp_xr/web/carried.js";

const picture = (/** @type {number} */ presentedFrames) => ({ presentedFrames });

function carried() {
  const asked = { times: 0 };
  return { keys: new CarriedKeys(() => (asked.times += 1)), asked };
}

test("a picture's number says which key it has, also where others were not seen", () => {
  const { keys } = carried();
  for (let i = 0; i < 6; i++) keys.came(10 * i);
  assert.deepEqual([1, 2, 5].map((number) => keys.find(picture(number))), [0, 10, 40]);
});

test("one whose key is still on its way is left out, and the next is known", () => {
  const { keys } = carried();
  assert.equal(keys.find(picture(1)), null);
  keys.came(1000);
  assert.equal(keys.find(picture(1)), 1000);
  assert.equal(keys.find(picture(2)), null);
  keys.came(2000);
  keys.came(3000);
  assert.equal(keys.find(picture(3)), 3000);
});

test("what the decoder left out is noticed after some seconds, and stays known", () => {
  const { keys } = carried();
  const found = [];
  for (let i = 0; i < 1000; i++) {
    keys.came(i);
    if (i === 300 || i === 301) continue; // never decoded
    found.push(keys.find(picture(i < 300 ? i + 1 : i - 1)) === i);
  }
  assert.ok(found.slice(0, 300).every(Boolean));
  assert.ok(found.slice(550).every(Boolean), `wrong at ${found.lastIndexOf(false)}`);
});

test("a decoder that is always some pictures behind is not corrected", () => {
  const { keys } = carried();
  for (let i = 0; i < 1000; i++) {
    keys.came(i);
    if (i >= 3) assert.equal(keys.find(picture(i - 2)), i - 3);
  }
});

test("a count that goes on from another track's begins with the newest", () => {
  const { keys } = carried();
  for (let i = 0; i < 2000; i++) {
    keys.came(i);
    assert.equal(keys.find(picture(501 + i)), i);
  }
});

test("video is asked for anew once, and only where the browser can read it", () => {
  const { keys, asked } = carried();
  keys.missed();
  assert.equal(asked.times, 0);
  Object.assign(globalThis, { RTCRtpScriptTransform: class {} });
  keys.missed();
  keys.missed();
  assert.equal(asked.times, 1);
});
